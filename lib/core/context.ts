import type { Clock } from "./clock.ts";
import type { FileSystem } from "./files.ts";
import type { Log } from "./log.ts";
import type { SpawnProcess } from "./subprocess.ts";

/** Sends HTTP requests; `fetch` outside of tests. Needs the net permission. */
export type Http = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

/** Environment variables. Those of the process override those of `.env`. */
export interface Environment {
  get(name: string): string | undefined;
  /** The variables for a child process, without those that only this process may see. */
  toObject(): Record<string, string>;
}

/** The outside world of a run. Everything in `lib` reaches it through this, so that tests can replace it. */
export interface Context {
  readonly fs: FileSystem;
  readonly spawn: SpawnProcess;
  readonly http: Http;
  readonly clock: Clock;
  readonly log: Log;
  readonly env: Environment;
  /** Aborted with an `InterruptedError` as its reason when the run has to stop. */
  readonly signal: AbortSignal;
  /** Bytes that may still be written to the file system of `path`; `undefined` where the system does not say. */
  freeBytes(path: string): Promise<number | undefined>;
  /** This machine's name, for locks, manifests and history. */
  readonly host: string;
}

/**
 * Returns a signal that is never aborted. Each caller gets its own, so that listeners do not add up on a shared one.
 */
export function neverAborted(): AbortSignal {
  return new AbortController().signal;
}

/** Returns the context of work that is completed although the run was interrupted: an undo, a report, a cancellation. */
export function uninterrupted<Part extends Pick<Context, "signal">>(context: Part): Part {
  return { ...context, signal: neverAborted() };
}
