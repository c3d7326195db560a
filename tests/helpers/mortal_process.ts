import type { Context, Http } from "../../lib/core/context.ts";
import type { FileSystem } from "../../lib/core/files.ts";
import type { RunningProcess, SpawnProcess } from "../../lib/core/subprocess.ts";
import { systemClock } from "../../lib/core/clock.ts";
import { countingFs } from "./counting_fs.ts";
import { isolatedSpawn, testContext } from "./test_context.ts";

/** The error of every call after the death of the process. */
class DeadProcessError extends Error {
  override readonly name = "DeadProcessError";
}

/** One step of a process. */
export interface Step {
  /** Counted from 1. */
  readonly number: number;
  /** What it does to which file, or which program it runs. */
  readonly what: string;
  /** Whether a death before it leaves another state than a death one step earlier. Most steps only sync, or query git. */
  readonly hasNews: boolean;
}

/**
 * Simulates, within the test's process, a process that dies before its n-th step. A step changes the disk, starts a program
 * or sends a request. After the death, nothing that the code tries in `catch`, `finally` or a disposer reaches the outside
 * world; files are closed and locks released, as the system does for a killed process. Started programs run to their end.
 */
export class MortalProcess {
  readonly #diesAt: number;
  readonly #look: (() => string) | undefined;
  readonly #steps: Step[] = [];
  #content: string | undefined;
  #isDead = false;
  readonly #files = new Set<Deno.FsFile>();
  readonly #programs = new Set<RunningProcess>();
  readonly #pending = new Set<Promise<unknown>>();

  /**
   * @param diesAt the step; 0 for a process that does not die
   * @param look returns everything that the process changes; called before each step of one that does not die
   */
  constructor(diesAt: number, look?: () => string) {
    this.#diesAt = diesAt;
    this.#look = diesAt === 0 ? look : undefined;
  }

  /** The steps, including one that was interrupted. Without `look`, each has news. */
  get steps(): readonly Step[] {
    return this.#steps;
  }

  /** Runs the work of the process. @returns whether it died. Other failures are thrown. */
  async run(work: (context: Context) => Promise<unknown>): Promise<boolean> {
    try {
      await work(this.#context());
    } catch (error) {
      if (!this.#isDead) throw error;
    } finally {
      await this.#bury();
    }
    return this.#isDead;
  }

  #context(): Context {
    return testContext({ fs: this.#fs(), spawn: this.#spawn, http: this.#http, clock: this.#clock() });
  }

  #step(what: string): void {
    this.#assertAlive();
    const number = this.#steps.length + 1;
    const content = this.#look?.();
    this.#steps.push({ number, what, hasNews: content === undefined || content !== this.#content });
    this.#content = content;
    this.#isDead = number === this.#diesAt;
    this.#assertAlive();
  }

  #assertAlive(): void {
    if (this.#isDead) throw new DeadProcessError(`the process died before its step ${this.#diesAt}`);
  }

  #fs(): FileSystem {
    return this.#guarded(countingFs((what) => this.#step(what)), []);
  }

  /** Wraps an object so that its functions, except those named, fail after the death. Their results are awaited at the end. */
  #guarded<Target extends object>(target: Target, immortal: readonly PropertyKey[]): Target {
    return new Proxy(target, {
      get: (_, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => {
          if (!immortal.includes(name)) this.#assertAlive();
          return this.#taken(Reflect.apply(value, target, args));
        };
      },
    });
  }

  #taken(result: unknown): unknown {
    if (result instanceof Promise) return this.#awaited(result.then((value) => this.#taken(value)));
    if (!(result instanceof Deno.FsFile)) return result;
    this.#files.add(result);
    return this.#guarded(result, ["close", Symbol.dispose]);
  }

  #awaited<T>(promise: Promise<T>): Promise<T> {
    const settled = promise.then(() => {}, () => {}).then(() => void this.#pending.delete(settled));
    this.#pending.add(settled);
    return promise;
  }

  readonly #spawn: SpawnProcess = (request) => {
    this.#step(`run ${request.command}`);
    const program = isolatedSpawn(request);
    this.#programs.add(program);
    return program;
  };

  readonly #http: Http = (input, init) => {
    this.#step("request");
    return this.#awaited(fetch(input, init));
  };

  #clock(): Context["clock"] {
    return {
      ...systemClock,
      sleep: (durationMs, signal) => {
        this.#assertAlive();
        return systemClock.sleep(durationMs, signal);
      },
    };
  }

  /** Waits for pending work, and closes everything that the process held. */
  async #bury(): Promise<void> {
    for (const { stdout, exit } of this.#programs) {
      await drain(stdout);
      await exit.catch(() => {});
    }
    await Promise.all(this.#pending);
    for (const file of this.#files) close(file);
  }
}

async function drain(pieces: AsyncIterable<unknown>): Promise<void> {
  try {
    for await (const _ of pieces);
  } catch {
    // The stream was interrupted, so there is nothing left to read.
  }
}

function close(file: Deno.FsFile): void {
  try {
    file.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}
