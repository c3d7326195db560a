import type { Clock } from "../core/clock.ts";
import { FailedError, messageOf, ModelSyncError, PassingError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import type { KnownTimestamp, KnownTimestamps } from "./references_state.ts";
import type { WatchEvent, WatchNews } from "./watch_event.ts";

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
  /** Syncs everything. Rejects when any part of it failed: it is then tried again. */
  readonly sync: (signal: AbortSignal) => Promise<void>;
  readonly state: KnownTimestamps;
  /** Told of everything that happens, as it happens. */
  readonly onEvent: (event: WatchEvent) => void;
}

/** What is known when an answer comes. */
export interface WatchState {
  readonly known: KnownTimestamp;
  /** The sync that was asked for at the start has not succeeded yet. */
  readonly isStartupSyncDue: boolean;
}

/** What an answer calls for. */
export type WatchStep =
  | { readonly do: "nothing" }
  /** Changes are told from this. */
  | { readonly do: "remember"; readonly timestamp: number | null }
  /** Afterwards, if it succeeds, changes are told from `timestamp`. */
  | { readonly do: "sync"; readonly reason: "change" | "startup"; readonly timestamp: number | null };

/**
 * What is to be done about a timestamp. Any other than the known one is a change, smaller ones too: a server that was
 * restored from a backup has other records. A server that had none at first has changed when it has one.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { nextStep } from "./watch.ts";
 * const state = { known: 100, isStartupSyncDue: false };
 * assert.deepEqual(nextStep(state, 100), { do: "nothing" });
 * assert.deepEqual(nextStep(state, 90), { do: "sync", reason: "change", timestamp: 90 });
 * assert.deepEqual(nextStep({ ...state, known: undefined }, 90), { do: "remember", timestamp: 90 });
 * ```
 */
export function nextStep({ known, isStartupSyncDue }: WatchState, current: number | null): WatchStep {
  const isChange = current !== null && known !== undefined && current !== known;
  if (isChange) return { do: "sync", reason: "change", timestamp: current };
  if (isStartupSyncDue) return { do: "sync", reason: "startup", timestamp: current ?? known ?? null };
  return known === undefined ? { do: "remember", timestamp: current } : { do: "nothing" };
}

/**
 * The pause after a round that failed, in milliseconds: it grows by half each time from the interval on, so that ten
 * rounds take some 75 intervals, and jitter adds up to half of it.
 *
 * @param errors how many rounds have failed in a row, from 1
 * @param retryAfterMs what a server asked for
 * @param jitter 0 to 1
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
): number {
  const grownMs = Math.min(intervalMs * GROWTH ** (errors - 1), Math.max(intervalMs, BACKOFF_MS_MAX));
  return Math.max(grownMs * (1 + jitter / 2), Math.min(retryAfterMs ?? 0, RETRY_AFTER_MS_MAX));
}

/** Gentler than doubling: a container runtime is to hear of ten errors while the cause is still fresh. */
const GROWTH = 1.5;

/**
 * Watches a PRIMARY server, and syncs when its records have changed, until the signal is aborted. The known timestamp
 * advances only after a sync that succeeded, to what was read before that sync began: a failed one is tried again, what
 * changes meanwhile is found at the next look, and what changed while nobody watched is found at the start.
 *
 * @returns when the signal was aborted; `poll` and `sync` get it too, and are waited for
 * @throws {FailedError} code `TOO_MANY_ERRORS` after ten rounds in a row that failed
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
  #state: WatchState;
  /** What the last look has seen; `undefined` before the first. */
  #seen: number | null | undefined;
  #errors = 0;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#state = { known: options.state.find(), isStartupSyncDue: options.startupSync };
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
    const { known } = this.#state;
    if (typeof known === "number") this.tell({ kind: "initialized", timestamp: known });
    for (;;) await clock.sleep(await this.#round(), signal);
  }

  /** Looks once, and syncs if that is due. @returns the pause after it, in milliseconds */
  async #round(): Promise<number> {
    const { signal, poll, intervalSec } = this.#options;
    let failed: "poll-failed" | "sync-failed" = "poll-failed";
    try {
      signal.throwIfAborted();
      const current = await poll(signal);
      signal.throwIfAborted();
      this.#tellOf(current);
      const step = nextStep(this.#state, current);
      failed = "sync-failed";
      if (step.do === "sync") await this.#sync(step.reason);
      if (step.do !== "nothing") this.#remember(step.timestamp);
    } catch (error) {
      signal.throwIfAborted();
      return this.#fail(failed, error);
    }
    this.#errors = 0;
    return intervalSec * 1000;
  }

  #tellOf(current: number | null): void {
    const { known } = this.#state;
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

  async #sync(reason: "change" | "startup"): Promise<void> {
    const { clock, signal, sync } = this.#options;
    this.tell({ kind: "sync-started", reason });
    await clock.sleep(SETTLE_MS, signal);
    await sync(signal);
    // Interrupted, it may have left out a part; to sync once more changes nothing.
    signal.throwIfAborted();
    this.tell({ kind: "sync-completed" });
    this.#state = { ...this.#state, isStartupSyncDue: false };
  }

  /** A disk that fails is no reason to sync the same again: until the end of this process it is known. */
  #remember(timestamp: number | null): void {
    const { state, log } = this.#options;
    const isNews = timestamp !== this.#state.known;
    this.#state = { ...this.#state, known: timestamp };
    try {
      if (isNews) state.remember(timestamp);
    } catch (error) {
      log.warn(
        `the next start may sync the same again, because what is known cannot be kept: ${messageOf(error)}`,
      );
    }
  }

  #fail(kind: "poll-failed" | "sync-failed", error: unknown): number {
    this.#errors++;
    const message = messageOf(error);
    const isLast = this.#errors >= ERRORS_MAX;
    const retryAfterMs = error instanceof PassingError ? error.retryAfterMs : undefined;
    const pauseMs = backoffMs(this.#options.intervalSec * 1000, this.#errors, retryAfterMs, Math.random());
    const retryInMs = isLast ? null : pauseMs;
    this.tell({ kind, message, errors: this.#errors, errorsMax: ERRORS_MAX, retryInMs });
    if (!isLast) return pauseMs;
    const next = error instanceof ModelSyncError ? error.hint : undefined;
    throw new FailedError(
      `Cannot go on watching PRIMARY: too many errors, ${ERRORS_MAX} in a row: ${message}`,
      {
        code: "TOO_MANY_ERRORS",
        cause: error,
        hint: `${next ?? "mend what the errors say"}; a new start finds what changed meanwhile`,
      },
    );
  }
}
