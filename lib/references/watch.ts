import type { Clock } from "../core/clock.ts";
import {
  AuthenticationError,
  FailedError,
  messageOf,
  ModelSyncError,
  TransientError,
} from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import type { Known, KnownTimestamp, KnownTimestamps } from "./references_state.ts";
import { isOutage, type SyncResult } from "./sync_failures.ts";
import type { SyncReason, WatchEvent, WatchNews } from "./watch_event.ts";

/** The original tool's limit. The container runtime or the user who started the watch sees that it ended. */
const ERRORS_MAX = 10;

/** The longest pause after failures: an unreachable server is polled every quarter of an hour. */
const BACKOFF_MS_MAX = 15 * 60_000;

/** API limits reset within an hour, so a server that requires a longer pause is polled after an hour. */
const RETRY_AFTER_MS_MAX = 3_600_000;

/**
 * PRIMARY's timestamps are whole seconds. A record may change again in the second of the timestamp that was read,
 * without changing it. A sync that starts after that second includes the change; one more second is for the time that
 * PRIMARY needs to write.
 */
const SETTLE_MS = 2_000;

/** The default interval of scheduled syncs. A category that PRIMARY lacks permanently is not retried more often. */
const RETRY_MS_MAX = 3_600_000;

/** The largest expected difference between the clocks of servers. */
const FUTURE_MS_MAX = 24 * 3_600_000;

export interface WatchOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** The server's address for display. */
  readonly primaryUrl: string;
  readonly intervalSec: number;
  readonly initialDelaySec: number;
  readonly startupSync: boolean;
  /** Returns when the records last changed, in whole seconds since 1970; `null` while the server has no timestamp. */
  readonly poll: (signal: AbortSignal) => Promise<number | null>;
  /** Syncs all categories. Rejects if nothing could be synced. */
  readonly sync: (signal: AbortSignal) => Promise<SyncResult>;
  /** Whether failed parts are retried before the records change. Not if each sync creates a pull request. */
  readonly retriesParts: boolean;
  readonly state: KnownTimestamps;
  /** Receives every event. */
  readonly onEvent: (event: WatchEvent) => void;
}

/** The state when an answer arrives. */
export interface WatchState {
  readonly known: KnownTimestamp;
  /** The sync at the start is still due. */
  readonly isStartupSyncDue: boolean;
  /** The failed parts of the last sync are due. */
  readonly isRetryDue: boolean;
}

/** The action for an answer. */
export type WatchStep =
  | { readonly do: "nothing" }
  /** Later timestamps are compared with this one. */
  | { readonly do: "remember"; readonly timestamp: number | null }
  /** After a sync, a different timestamp is the next change. */
  | { readonly do: "sync"; readonly reason: SyncReason; readonly timestamp: number | null };

/**
 * Returns the action for a timestamp. Any other than the known one is a change, also a smaller one: a server that was
 * restored from a backup has other records. A server's first timestamp is a change, too.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { nextStep } from "./watch.ts";
 * const state = { known: 100, isStartupSyncDue: false, isRetryDue: false };
 * assert.deepEqual(nextStep(state, 100), { do: "nothing" });
 * assert.deepEqual(nextStep(state, 90), { do: "sync", reason: "change", timestamp: 90 });
 * assert.deepEqual(nextStep({ ...state, known: undefined }, 90), { do: "remember", timestamp: 90 });
 * ```
 */
export function nextStep(
  { known, isStartupSyncDue, isRetryDue }: WatchState,
  current: number | null,
): WatchStep {
  const isChange = current !== null && known !== undefined && current !== known;
  if (isChange) return { do: "sync", reason: "change", timestamp: current };
  if (isStartupSyncDue || isRetryDue) {
    const reason = isStartupSyncDue ? "startup" : "retry";
    return { do: "sync", reason, timestamp: current ?? known ?? null };
  }
  return known === undefined ? { do: "remember", timestamp: current } : { do: "nothing" };
}

/**
 * Returns the pause after a failed round, in milliseconds. It starts at the interval and grows by half each time, so
 * that ten rounds last about 75 intervals. Jitter adds up to half of the pause.
 *
 * @param errors the number of failed rounds in a row, from 1
 * @param retryAfterMs the pause that a server requires
 * @param jitter 0 to 1
 * @param longestMs the longest pause
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { backoffMs } from "./watch.ts";
 * assert.deepEqual([backoffMs(60_000, 1, undefined, 0), backoffMs(60_000, 1, undefined, 1)], [60_000, 90_000]);
 * assert.equal(backoffMs(60_000, 3, undefined, 0), 135_000);
 * assert.equal(backoffMs(60_000, 9, undefined, 0), 900_000);
 * assert.equal(backoffMs(3_600_000, 9, undefined, 0), 3_600_000);
 * assert.equal(backoffMs(60_000, 1, 1_800_000, 0), 1_800_000);
 * ```
 */
export function backoffMs(
  intervalMs: number,
  errors: number,
  retryAfterMs: number | undefined,
  jitter: number,
  longestMs: number = BACKOFF_MS_MAX,
): number {
  const grownMs = Math.min(intervalMs * GROWTH ** (errors - 1), Math.max(intervalMs, longestMs));
  const leastMs = Math.max(grownMs, Math.min(retryAfterMs ?? 0, RETRY_AFTER_MS_MAX));
  return leastMs * (1 + jitter / 2);
}

/** Slower than doubling: a container runtime should see ten errors while the cause is recent. */
const GROWTH = 1.5;

/**
 * Watches a PRIMARY server, and syncs when its records have changed, until the signal is aborted. After a sync, the
 * known timestamp advances to the one that was read before the sync began. So changes during a sync are found by the
 * next poll, and changes while no watch runs are found at the start.
 *
 * A sync that is incomplete, because PRIMARY lacks a category or a record is refused, does not end the watch. It is
 * reported, its timestamp is stored, and the failed parts are retried with growing pauses of up to an hour. Only an
 * unreachable PRIMARY or GitHub counts as an error.
 *
 * @returns when the signal is aborted and `poll` and `sync`, which get the signal, too, have ended
 * @throws {FailedError} code `TOO_MANY_ERRORS` after ten failed rounds in a row; {@link AuthenticationError} with the
 * same code if the last one was refused a login
 */
export async function watchReferences(options: WatchOptions): Promise<void> {
  const watch = new Watch(options);
  try {
    await watch.run();
  } catch (error) {
    if (!options.signal.aborted) throw error;
    watch.tell({ kind: "stopped" });
  }
}

class Watch {
  readonly #options: WatchOptions;
  #known: Known;
  #isStartupSyncDue: boolean;
  /** When the failed parts are retried, on the monotonic clock. */
  #retryAtMs: number | undefined;
  /** The answer of the last poll; `undefined` before the first. */
  #seen: number | null | undefined;
  /** The number of rounds in a row with an unreachable server. */
  #errors = 0;
  /** The number of incomplete syncs in a row. */
  #incomplete = 0;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#known = options.state.find();
    this.#isStartupSyncDue = options.startupSync;
    if (!this.#known.isComplete && options.retriesParts) this.#retryAtMs = options.clock.monotonicMs();
  }

  tell(news: WatchNews): void {
    this.#options.onEvent({ at: this.#options.clock.now(), ...news });
  }

  /** @throws the signal's reason, or that there were too many errors; it never returns */
  async run(): Promise<never> {
    const { clock, signal, primaryUrl, intervalSec, initialDelaySec, startupSync } = this.#options;
    this.tell({ kind: "started", primaryUrl, intervalSec, initialDelaySec, startupSync });
    if (initialDelaySec > 0) {
      this.tell({ kind: "delayed", delaySec: initialDelaySec });
      await clock.sleep(initialDelaySec * 1000, signal);
    }
    this.tell({ kind: "watching" });
    const { timestamp } = this.#known;
    if (typeof timestamp === "number") this.tell({ kind: "initialized", timestamp });
    for (;;) await clock.sleep(await this.#round(), signal);
  }

  /** Polls once, and syncs if that is due. */
  async #round(): Promise<number> {
    const { clock, signal, poll, intervalSec } = this.#options;
    let current: number | null;
    try {
      signal.throwIfAborted();
      current = await poll(signal);
      signal.throwIfAborted();
    } catch (error) {
      signal.throwIfAborted();
      return this.#fail("poll-failed", error);
    }
    this.#tellOf(current);
    const step = nextStep({
      known: this.#known.timestamp,
      isStartupSyncDue: this.#isStartupSyncDue,
      isRetryDue: this.#retryAtMs !== undefined && clock.monotonicMs() >= this.#retryAtMs,
    }, current);
    if (step.do === "sync") return await this.#sync(step.reason, step.timestamp);
    if (step.do === "remember") this.#remember(step.timestamp, true);
    this.#errors = 0;
    return intervalSec * 1000;
  }

  #tellOf(current: number | null): void {
    const known = this.#known.timestamp;
    const isNews = current !== this.#seen;
    this.#seen = current;
    if (current === null) return this.tell({ kind: "no-timestamp" });
    if (isNews && current * 1000 > this.#options.clock.now().getTime() + FUTURE_MS_MAX) {
      this.tell({ kind: "far-future", timestamp: current });
    }
    if (current === known) return this.tell({ kind: "unchanged", timestamp: current });
    if (known !== undefined) {
      const isReset = known !== null && current < known;
      return this.tell({ kind: "changed", from: known, to: current, isReset });
    }
    // After a failed first sync, the timestamp is the same.
    if (isNews) this.tell({ kind: "initialized", timestamp: current });
  }

  /** Syncs, and stores the timestamp. */
  async #sync(reason: SyncReason, timestamp: number | null): Promise<number> {
    const { clock, signal, sync, intervalSec, retriesParts } = this.#options;
    this.tell({ kind: "sync-started", reason });
    await clock.sleep(SETTLE_MS, signal);
    let result: SyncResult;
    try {
      result = await sync(signal);
    } catch (error) {
      signal.throwIfAborted();
      // Another run holds the lock, or the disk is full: nothing was synced, and no server failed.
      if (error instanceof ModelSyncError && !isOutage(error)) return this.#leaveOut(error, 1, true);
      return this.#fail("sync-failed", error);
    }
    // An interrupted sync may be incomplete. Syncing once more is harmless.
    signal.throwIfAborted();
    if (result.kind === "outage") return this.#fail("sync-failed", result.error);
    this.#isStartupSyncDue = false;
    this.#remember(timestamp, result.kind === "complete");
    if (result.kind === "incomplete") {
      const pauseMs = this.#leaveOut(result.error, result.failures, retriesParts);
      this.#retryAtMs = retriesParts ? clock.monotonicMs() + pauseMs : undefined;
      return intervalSec * 1000;
    }
    [this.#errors, this.#incomplete, this.#retryAtMs] = [0, 0, undefined];
    this.tell({ kind: "sync-completed" });
    return intervalSec * 1000;
  }

  /** If the state cannot be written, it is kept until this process ends, so that the same is not synced again. */
  #remember(timestamp: number | null, isComplete: boolean): void {
    const { state, log } = this.#options;
    const isNews = timestamp !== this.#known.timestamp || isComplete !== this.#known.isComplete;
    this.#known = { timestamp, isComplete };
    try {
      if (isNews) state.remember(timestamp, isComplete);
    } catch (error) {
      log.warn(
        `the state cannot be stored, so the next start may sync the same again: ${messageOf(error)}`,
      );
    }
  }

  /** Reports an incomplete sync although the servers answered. */
  #leaveOut(error: unknown, failures: number, isRetried: boolean): number {
    this.#errors = 0;
    const pauseMs = this.#pauseMs(++this.#incomplete, error, RETRY_MS_MAX);
    const message = messageOf(error) + (failures === 1 ? "" : `; and ${failures - 1} more`);
    this.tell({ kind: "sync-incomplete", message, retryInMs: isRetried ? pauseMs : null });
    return pauseMs;
  }

  #pauseMs(times: number, error: unknown, longestMs: number): number {
    const retryAfterMs = error instanceof TransientError ? error.retryAfterMs : undefined;
    return backoffMs(this.#options.intervalSec * 1000, times, retryAfterMs, Math.random(), longestMs);
  }

  #fail(kind: "poll-failed" | "sync-failed", error: unknown): number {
    this.#errors++;
    const message = messageOf(error);
    const isLast = this.#errors >= ERRORS_MAX;
    const pauseMs = this.#pauseMs(this.#errors, error, BACKOFF_MS_MAX);
    const retryInMs = isLast ? null : pauseMs;
    this.tell({ kind, message, errors: this.#errors, errorsMax: ERRORS_MAX, retryInMs });
    if (!isLast) return pauseMs;
    const next = error instanceof ModelSyncError ? error.hint : undefined;
    const Kind = error instanceof AuthenticationError ? AuthenticationError : FailedError;
    throw new Kind(
      `Cannot continue to watch PRIMARY: too many errors, ${ERRORS_MAX} in a row: ${message}`,
      {
        code: "TOO_MANY_ERRORS",
        cause: error,
        hint: `${next ?? "correct what the errors say"}; a restart finds the changes since then`,
      },
    );
  }
}
