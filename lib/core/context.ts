import type { Clock } from "./clock.ts";
import type { FileSystem } from "./files.ts";
import type { Log } from "./log.ts";
import type { SpawnProcess } from "./subprocess.ts";

/** The web as a dependency: production passes `fetch`. Needs the net permission. */
export type Http = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

/** Environment variables: those of the process, over those of `.env`. */
export interface Environment {
  get(name: string): string | undefined;
  /** The variables as an object, for a child process: without those that are for this process alone. */
  toObject(): Record<string, string>;
}

/** What the outside world is to a run. Everything in `lib` reaches it through here, so that tests can replace it. */
export interface Context {
  readonly fs: FileSystem;
  readonly spawn: SpawnProcess;
  readonly http: Http;
  readonly clock: Clock;
  readonly log: Log;
  readonly env: Environment;
  /** Aborted, with an `InterruptedError` as its reason, when the run is asked to stop. */
  readonly signal: AbortSignal;
  /** Bytes that may still be written to the file system of `path`; `undefined` where the system does not tell. */
  freeBytes(path: string): Promise<number | undefined>;
  /** The name of this machine, for locks, manifests and history. */
  readonly host: string;
}
