import type { Context, Http } from "../../lib/core/context.ts";
import type { FileSystem } from "../../lib/core/files.ts";
import type { RunningProcess, SpawnProcess } from "../../lib/core/subprocess.ts";
import { systemClock } from "../../lib/core/clock.ts";
import { countingFs } from "./counting_fs.ts";
import { isolatedSpawn, testContext } from "./test_context.ts";

/** What every call throws once the process is dead. */
class DeadProcessError extends Error {
  override readonly name = "DeadProcessError";
}

/**
 * A process that dies before its n-th step, inside the test's process. A step changes the disk, starts a program or
 * sends a request. From its death on nothing reaches the outside world, whatever the code tries in `catch`, `finally` or
 * a disposer; its files are closed and its locks are free, as the system does it for a killed process. Programs that it
 * started run to their end.
 */
export class MortalProcess {
  readonly #diesAt: number;
  readonly #look: (() => string) | undefined;
  readonly #newsAt: number[] = [];
  #content: string | undefined;
  #steps = 0;
  #isDead = false;
  readonly #files = new Set<Deno.FsFile>();
  readonly #programs = new Set<RunningProcess>();
  readonly #pending = new Set<Promise<unknown>>();

  /**
   * @param diesAt 0 for one that lives to its end
   * @param look returns everything that it changes; called before each step of one that lives
   */
  constructor(diesAt: number, look?: () => string) {
    this.#diesAt = diesAt;
    this.#look = diesAt === 0 ? look : undefined;
  }

  /**
   * The steps before which a death leaves something else behind than a death one step earlier. Most steps sync what is
   * there, or ask git something; where nobody looks, every step counts.
   */
  get newsAt(): readonly number[] {
    return this.#newsAt;
  }

  /** The steps that it took, or began. */
  get steps(): number {
    return this.#steps;
  }

  /** Runs the work of a process. @returns whether it died; a failure of one that lived is thrown */
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

  #step(): void {
    this.#assertAlive();
    this.#steps++;
    this.#isDead = this.#steps === this.#diesAt;
    this.#assertAlive();
    const content = this.#look?.();
    if (content === undefined || content !== this.#content) this.#newsAt.push(this.#steps);
    this.#content = content;
  }

  #assertAlive(): void {
    if (this.#isDead) throw new DeadProcessError(`the process died before its step ${this.#diesAt}`);
  }

  #fs(): FileSystem {
    return this.#guarded(countingFs(() => this.#step()), []);
  }

  /** An object whose functions fail after death, but for those named. What they begin is waited for in the end. */
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
    this.#step();
    const program = isolatedSpawn(request);
    this.#programs.add(program);
    return program;
  };

  readonly #http: Http = (input, init) => {
    this.#step();
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

  /** Waits for what is still going on, and lets go of all that the process held. */
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
    // It was cut short: there is nothing left to read.
  }
}

function close(file: Deno.FsFile): void {
  try {
    file.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}
