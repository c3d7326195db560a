import { isoSeconds } from "../core/clock.ts";
import type { Context } from "../core/context.ts";
import { EXIT, firstFailure, messageOf, ModelSyncError } from "../core/errors.ts";
import { type FileSystem, ifFound } from "../core/files.ts";
import type { Role } from "../config/roles.ts";
import {
  type Pause,
  type Pauses,
  pausesPath,
  readPauses,
  removePauses,
  replaceDamagedPauses,
} from "../store/pauses.ts";
import {
  dropOldRequest,
  endRunRequest,
  findWaitingRequest,
  type RunEnd,
  type RunRequest,
  runRequestsPath,
  takeRunRequest,
} from "../store/run_requests.ts";
import type { Store } from "../store/store.ts";
import type { DaemonHealth } from "./daemon_health.ts";
import type { RoleControl } from "./role_loop.ts";

/** The README promises operators five seconds. A check costs two system calls. */
const CHECK_MS = 1_000;

/** A daemon that starts also runs what was requested of its predecessor, up to this age. */
const REQUEST_AGE_MS_MAX = 60 * 60_000;

/** The end of a requested run whose daemon is gone. */
const UNFINISHED: RunEnd = {
  exitCode: EXIT.interrupted,
  message: "the daemon ended before the run did",
  hint: "see the daemon's log, and request the run again",
};

/** A pause, with its end on the monotonic clock. */
interface KnownPause {
  readonly pause: Pause;
  /** The latest end on the monotonic clock: setting the wall clock back does not prolong a pause. */
  readonly endsMs: number;
}

/** Controls the roles of a daemon by the files that `pause`, `resume` and `run-now` write into the store. */
export class FileControl implements RoleControl {
  readonly #context: Context;
  readonly #store: Store;
  readonly #roles: readonly Role[];
  readonly #health: DaemonHealth;
  readonly #pausesFile: ChangingFile;
  readonly #requestsFile: ChangingFile;
  readonly #pauses = new Map<Role, KnownPause>();
  readonly #waiting = new Map<Role, RunRequest>();
  /** Requests whose runs have not ended. */
  readonly #running = new Map<Role, RunRequest>();
  /** The id of the last started request of each role, in case the disk did not take the note of the start. */
  readonly #started = new Map<Role, string>();
  #lastFault = "";

  constructor(context: Context, store: Store, roles: readonly Role[], health: DaemonHealth) {
    this.#context = context;
    this.#store = store;
    this.#roles = roles;
    this.#health = health;
    this.#pausesFile = new ChangingFile(context.fs, pausesPath(store));
    this.#requestsFile = new ChangingFile(context.fs, runRequestsPath(store));
    this.#settleOldRequests();
    this.#check();
  }

  pausedUntil(role: Role): Date | "resumed" | undefined {
    this.#check();
    this.#health.ticked(role);
    const known = this.#pauses.get(role);
    if (known === undefined) return undefined;
    return known.pause.until === null ? "resumed" : new Date(known.pause.until);
  }

  takeRequest(role: Role): boolean {
    this.#check();
    const request = this.#waiting.get(role);
    if (request === undefined) return false;
    this.#waiting.delete(role);
    this.#running.set(role, request);
    this.#started.set(role, request.id);
    this.#onDisk(() => takeRunRequest(this.#store, role, this.#context.clock.now()));
    this.#context.log.info(`${role}: running now, as requested at ${request.at} on ${request.host}`);
    return true;
  }

  /** Does the job of a role. If an operator requested it, its end is noted in the store. */
  async perform(role: Role, job: () => Promise<void>): Promise<void> {
    this.#health.began(role);
    let end: RunEnd = { exitCode: EXIT.done };
    try {
      await job();
    } catch (error) {
      end = endOf(error);
      throw error;
    } finally {
      this.#health.ended(role);
      const request = this.#running.get(role);
      this.#running.delete(role);
      if (request !== undefined) this.#onDisk(() => endRunRequest(this.#store, role, end, request.id));
    }
  }

  /**
   * Calls `wake` when an operator paused or resumed a role or requested a run, and when a pause ends, until the daemon
   * stops.
   *
   * @param alsoCheck called as often as the files are checked
   * @throws what `alsoCheck` throws
   */
  async watch(wake: () => void, alsoCheck: () => Promise<void> = () => Promise.resolve()): Promise<void> {
    const { clock, signal } = this.#context;
    while (!signal.aborted) {
      if (this.#check() || this.#waiting.size > 0) wake();
      await alsoCheck();
      await clock.sleep(CHECK_MS, signal).catch(() => {});
    }
  }

  /** Reads the files that changed. @returns whether anything changed for a role */
  #check(): boolean {
    const hasRequests = this.#requestsFile.hasChanged() && this.#readRequests();
    const hasPauses = this.#pausesFile.hasChanged() && this.#readPauses();
    return this.#endPauses() || hasPauses || hasRequests;
  }

  #readRequests(): boolean {
    this.#waiting.clear();
    for (const role of this.#roles) {
      const request = findWaitingRequest(this.#store, role);
      if (request === undefined || request.id === this.#started.get(role)) continue;
      this.#waiting.set(role, request);
    }
    return this.#waiting.size > 0;
  }

  #readPauses(): boolean {
    const { log, clock } = this.#context;
    this.#onDisk(() => replaceDamagedPauses(this.#store));
    const pauses = readPauses(this.#store, clock.now());
    let isChanged = false;
    for (const role of this.#roles) {
      const [pause, before] = [pauses[role], this.#pauses.get(role)?.pause];
      if (pause?.since === before?.since && pause?.until === before?.until) continue;
      isChanged = true;
      if (pause === undefined) {
        this.#pauses.delete(role);
        log.info(`${role}: resumed`);
      } else {
        this.#pauses.set(role, { pause, endsMs: this.#endMs(pause) });
        log.info(`${role}: ${describePause(pause)}`);
      }
      this.#reportHealth(role);
    }
    return isChanged;
  }

  #endMs({ since, until }: Pause): number {
    const { clock } = this.#context;
    if (until === null) return Infinity;
    const leftMs = Math.min(Date.parse(until) - clock.now().getTime(), Date.parse(until) - Date.parse(since));
    return clock.monotonicMs() + leftMs;
  }

  #endPauses(): boolean {
    const { clock, log } = this.#context;
    const [now, nowMs] = [clock.now().getTime(), clock.monotonicMs()];
    const ended = Array.from(this.#pauses).filter(([, { pause, endsMs }]) =>
      nowMs >= endsMs || (pause.until !== null && now >= Date.parse(pause.until))
    );
    if (ended.length === 0) return false;
    for (const [role] of ended) {
      this.#pauses.delete(role);
      this.#reportHealth(role);
      log.info(`${role}: the pause is over`);
    }
    const pauses: Pauses = Object.fromEntries(ended.map(([role, { pause }]) => [role, pause]));
    this.#onDisk(() => removePauses(this.#store, pauses));
    return true;
  }

  #reportHealth(role: Role): void {
    const until = this.#pauses.get(role)?.pause.until;
    this.#health.paused(role, until === undefined ? until : until === null ? "resumed" : new Date(until));
  }

  #settleOldRequests(): void {
    const { clock, log } = this.#context;
    // Without requests nothing is written: a daemon starts on a full disk, too.
    if (!this.#requestsFile.exists()) return;
    const oldest = new Date(clock.now().getTime() - REQUEST_AGE_MS_MAX);
    for (const role of this.#roles) {
      this.#onDisk(() => {
        endRunRequest(this.#store, role, UNFINISHED);
        const dropped = dropOldRequest(this.#store, role, oldest);
        if (dropped === undefined) return;
        log.warn(`${role}: dropped the run requested at ${dropped.at}: no daemon started it within an hour`);
      });
    }
  }

  /** A write that fails is only logged: the daemon acts upon its memory. The same fault is logged once. */
  #onDisk(write: () => void): void {
    try {
      write();
      this.#lastFault = "";
    } catch (error) {
      const fault = messageOf(error);
      if (fault !== this.#lastFault) this.#context.log.warn(fault);
      this.#lastFault = fault;
    }
  }
}

function describePause({ until, host, reason }: Pause): string {
  const end = until === null ? "until resumed" : `until ${isoSeconds(new Date(until))}`;
  return `paused ${end} on ${host}${reason === undefined ? "" : `: ${reason}`}`;
}

function endOf(error: unknown): RunEnd {
  const failure = firstFailure(error);
  if (!(failure instanceof ModelSyncError)) return { exitCode: EXIT.failed, message: messageOf(failure) };
  const { exitCode, message, hint } = failure;
  return { exitCode, message, ...(hint === undefined ? {} : { hint }) };
}

/** The identity of a missing file. */
const NO_FILE = "none";

/** Notices when other processes replace a file. */
class ChangingFile {
  readonly #fs: FileSystem;
  readonly #path: string;
  #last = NO_FILE;

  constructor(fs: FileSystem, path: string) {
    this.#fs = fs;
    this.#path = path;
  }

  /** Returns whether the file changed since the last call; at the first call, whether it exists. */
  hasChanged(): boolean {
    const now = this.#identify();
    const changed = now !== this.#last;
    this.#last = now;
    return changed;
  }

  exists(): boolean {
    return this.#identify() !== NO_FILE;
  }

  #identify(): string {
    try {
      const info = ifFound(() => this.#fs.statSync(this.#path));
      return info === undefined ? NO_FILE : `${info.ino} ${info.size} ${info.mtime?.getTime()}`;
    } catch (error) {
      // The code that reads the file reports the error.
      return messageOf(error);
    }
  }
}
