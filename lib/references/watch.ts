import type { Clock } from "../core/clock.ts";
import { AuthenticationError, FailedError, messageOf, ModelSyncError, PassingError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import type { Known, KnownTimestamp, KnownTimestamps } from "./references_state.ts";
import { isOutage, type SyncResult } from "./sync_failures.ts";
import type { SyncReason, WatchEvent, WatchNews } from "./watch_event.ts";

/** As the original promised: whoever started the watch, a container runtime mostly, is to notice. */
const ERRORS_MAX = 10;

/** A server that is away for an hour is asked every quarter of it, and is back in sync as soon as it is back. */
const BACKOFF_MS_MAX = 15 * 60_000;

/** Limits of APIs are filled again within the hour; a server that asks for a longer pause is asked again all the same. */
const RETRY_AFTER_MS_MAX = 3_600_000;

/**
 * PRIMARY counts whole seconds: a record may change once more in the second of the timestamp that was read, and the
 * timestamp stays the same. What is read after that second is over has such a change too; another is for the time that
 * PRIMARY takes to write.
 */
const SETTLE_MS = 2_000;

/** The default interval of scheduled syncs: a category that PRIMARY lacks for good is retried no more often. */
const RETRY_MS_MAX = 3_600_000;

/** Clocks of servers differ by minutes at most. */
const FUTURE_MS_MAX = 24 * 3_600_000;

export interface WatchOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** The server's address to show. */
  readonly primaryUrl: string;
  readonly intervalSec: number;
  readonly initialDelaySec: number;
  readonly startupSync: boolean;
  /** When the records changed last, in whole seconds since 1970; `null` while the server knows of no change. */
  readonly poll: (signal: AbortSignal) => Promise<number | null>;
  /** Syncs everything. Rejects when nothing could be synced. */
  readonly sync: (signal: AbortSignal) => Promise<SyncResult>;
  /** Whether what a sync left out is tried again before the records change: not where each sync makes a pull request. */
  readonly retriesParts: boolean;
  readonly state: KnownTimestamps;
  /** Told of everything that happens, as it happens. */
  readonly onEvent: (event: WatchEvent) => void;
}

/** What is known when an answer comes. */
export interface WatchState {
  readonly known: KnownTimestamp;
  /** The sync that was asked for at the start has not succeeded yet. */
  readonly isStartupSyncDue: boolean;
  /** What the last sync left out is to be tried again. */
  readonly isRetryDue: boolean;
}

/** What an answer calls for. */
export type WatchStep =
  | { readonly do: "nothing" }
  /** Changes are told from this. */
  | { readonly do: "remember"; readonly timestamp: number | null }
  /** Once something was synced, the next change is a timestamp that differs from this one. */
  | { readonly do: "sync"; readonly reason: SyncReason; readonly timestamp: number | null };

/**
 * What is to be done about a timestamp. Any other than the known one is a change, smaller ones too: a server that was
 * restored from a backup has other records. A server that had none at first has changed when it has one.
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
 * The pause after a round that failed, in milliseconds: it grows by half each time from the interval on, so that ten
 * rounds take some 75 intervals, and jitter adds up to half of it.
 *
 * @param errors how many rounds have failed in a row, from 1
 * @param retryAfterMs what a server asked for
 * @param jitter 0 to 1
 * @param longestMs where it stops growing
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
  return Math.max(grownMs * (1 + jitter / 2), Math.min(retryAfterMs ?? 0, RETRY_AFTER_MS_MAX));
}

/** Gentler than doubling: a container runtime is to hear of ten errors while the cause is still fresh. */
const GROWTH = 1.5;

/**
 * Watches a PRIMARY server, and syncs when its records have changed, until the signal is aborted. The known timestamp
 * advances only after a sync, to what was read before that sync began: what changes meanwhile is found at the next look,
 * and what changed while nobody watched is found at the start.
 *
 * A sync that is incomplete, because PRIMARY lacks a category or a record is refused, does not end the watch: it is
 * reported, its timestamp is remembered, and the rest is tried again with growing pauses of up to an hour. Only a PRIMARY
 * or a GitHub that cannot be reached counts as an error.
 *
 * @returns when the signal was aborted; `poll` and `sync` get it too, and are waited for
 * @throws {FailedError} code `TOO_MANY_ERRORS` after ten rounds in a row that failed; {@link AuthenticationError} with
 * the same code where the last one was refused a login
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
  /** When what the last sync left out is tried again, on the monotonic clock. */
  #retryAtMs: number | undefined;
  /** What the last look has seen; `undefined` before the first. */
  #seen: number | null | undefined;
  /** Rounds in a row in which a server could not be reached. */
  #errors = 0;
  /** Syncs in a row that left something out. */
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

  /** Looks once, and syncs if that is due. @returns the pause after it, in milliseconds */
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
    // Where a first sync has failed, the same number comes again.
    if (isNews) this.tell({ kind: "initialized", timestamp: current });
  }

  /** Syncs, and remembers what is synced then. @returns the pause after it, in milliseconds */
  async #sync(reason: SyncReason, timestamp: number | null): Promise<number> {
    const { clock, signal, sync, intervalSec, retriesParts } = this.#options;
    this.tell({ kind: "sync-started", reason });
    await clock.sleep(SETTLE_MS, signal);
    let result: SyncResult;
    try {
      result = await sync(signal);
    } catch (error) {
      signal.throwIfAborted();
      // Another run has the lock, or the disk is full: nothing is synced, and no server is to blame.
      if (error instanceof ModelSyncError && !isOutage(error)) return this.#leaveOut(error, 1, true);
      return this.#fail("sync-failed", error);
    }
    // Interrupted, it may have left out a part; to sync once more changes nothing.
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

  /** A disk that fails is no reason to sync the same again: until the end of this process it is known. */
  #remember(timestamp: number | null, isComplete: boolean): void {
    const { state, log } = this.#options;
    const isNews = timestamp !== this.#known.timestamp || isComplete !== this.#known.isComplete;
    this.#known = { timestamp, isComplete };
    try {
      if (isNews) state.remember(timestamp, isComplete);
    } catch (error) {
      log.warn(
        `the next start may sync the same again, because what is known cannot be kept: ${messageOf(error)}`,
      );
    }
  }

  /** Reports a sync that left something out although the servers answered. @returns the pause before the next attempt */
  #leaveOut(error: unknown, failures: number, isRetried: boolean): number {
    this.#errors = 0;
    const pauseMs = this.#pauseMs(++this.#incomplete, error, RETRY_MS_MAX);
    const message = messageOf(error) + (failures === 1 ? "" : `; and ${failures - 1} more`);
    this.tell({ kind: "sync-incomplete", message, retryInMs: isRetried ? pauseMs : null });
    return pauseMs;
  }

  #pauseMs(times: number, error: unknown, longestMs: number): number {
    const retryAfterMs = error instanceof PassingError ? error.retryAfterMs : undefined;
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
      `Cannot go on watching PRIMARY: too many errors, ${ERRORS_MAX} in a row: ${message}`,
      {
        code: "TOO_MANY_ERRORS",
        cause: error,
        hint: `${next ?? "correct what the errors say"}; a new start finds what changed meanwhile`,
      },
    );
  }
}
