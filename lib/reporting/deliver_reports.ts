import { join } from "node:path";
import type { Context } from "../core/context.ts";
import { withDeadline } from "../core/deadline.ts";
import { messageAndHint, messageOf, ModelSyncError, TransientError } from "../core/errors.ts";
import { awaitLock } from "../core/lock.ts";
import type { RunRecord } from "../store/history.ts";
import { type HistoryBatch, readAfter } from "../store/history_cursor.ts";
import type { Store } from "../store/store.ts";
import { batchEntries, recordTexts, type ReportedEntry } from "./batch_entries.ts";
import type { NodeFacts } from "./make_events.ts";
import { postEvents, TOO_LARGE } from "./post_events.ts";
import type { Receiver } from "./receiver.ts";
import {
  isPaused,
  readReportState,
  type ReportState,
  withCursor,
  withPause,
  writeReportState,
} from "./report_state.ts";
import { BATCH_EVENTS_MAX } from "../wire/event_names.ts";

/** The dashboard that a store's history is reported to, and the facts of this node. */
export interface Reporting {
  readonly store: Store;
  readonly receiver: Receiver;
  readonly facts: NodeFacts;
}

/** Separates a problem from what it delays. */
export const KEPT = ". Kept in the history and sent later: ";

/** The result of a delivery. */
export interface Delivery {
  /** The number of lines of the history that were delivered. */
  readonly delivered: number;
  /** Why the delivery stopped before the end of the history, with a hint, in one line; `undefined` for no problem. */
  readonly problem: string | undefined;
}

/**
 * Delivers the runs after the dashboard's cursor, oldest first, in batches, for `budgetMs` at most. The next delivery
 * sends the rest. Several processes may deliver at once: each batch is sent and noted under a lock, so that the cursor
 * only moves forward. Never throws.
 *
 * @param unwritten records that the disk did not take; sent once, after the history
 */
export async function deliverReports(
  context: Context,
  reporting: Reporting,
  budgetMs: number,
  unwritten: readonly RunRecord[] = [],
): Promise<Delivery> {
  const run = new DeliveryRun(context, reporting, budgetMs);
  try {
    await withDeadline(context, budgetMs, () => run.timeout(), (signal) => run.deliver(signal, unwritten));
    return { delivered: run.delivered, problem: undefined };
  } catch (error) {
    // It is no problem if the time was too short for the backlog, or another process delivers it.
    const isOnItsWay = run.isOverdue && (run.delivered > 0 || run.isLockedOut);
    return { delivered: run.delivered, problem: isOnItsWay ? undefined : run.describe(error) };
  }
}

class DeliveryRun {
  delivered = 0;
  /** Whether another process held the lock at the last attempt. */
  isLockedOut = false;
  /** Entries that were read and not delivered. */
  #waiting: Pick<HistoryBatch, "entries" | "atEnd"> = { entries: [], atEnd: true };
  /** The state that the disk did not take. */
  #unnoted: ReportState | undefined;
  /** The most entries of a batch; halved when the dashboard refuses a batch as too large. */
  #entriesMax = BATCH_EVENTS_MAX;
  readonly #context: Context;
  readonly #reporting: Reporting;
  readonly #budgetMs: number;
  readonly #startedMs: number;

  constructor(context: Context, reporting: Reporting, budgetMs: number) {
    this.#context = context;
    this.#reporting = reporting;
    this.#budgetMs = budgetMs;
    this.#startedMs = context.clock.monotonicMs();
  }

  get isOverdue(): boolean {
    return this.#context.clock.monotonicMs() - this.#startedMs >= this.#budgetMs;
  }

  timeout(): TransientError {
    const { host } = new URL(this.#reporting.receiver.url);
    return new TransientError(`Cannot send reports: no answer from ${host} in ${this.#budgetMs / 1000} s`, {
      code: "TIMEOUT",
      hint: `check the network, and that ${host} is the dashboard`,
    });
  }

  async deliver(signal: AbortSignal, unwritten: readonly RunRecord[]): Promise<void> {
    for (;;) {
      using _lock = await this.#lock(signal);
      if (await this.#deliverBatch(signal)) break;
    }
    // Sent also in a pause that the dashboard requested: these records are nowhere else.
    const { store, facts } = this.#reporting;
    const texts = unwritten.flatMap((record) => recordTexts(store, facts, record).texts);
    if (texts.length > 0) await this.#post(texts, signal);
  }

  /** Returns what failed, why, what to do, and what is sent later, in one line. */
  describe(error: unknown): string {
    const { entries, atEnd } = this.#waiting;
    const count = entries.length === 0
      ? "the runs that the dashboard does not have yet"
      : `${atEnd ? "" : "at least "}${entries.length === 1 ? "1 run" : `${entries.length} runs`}`;
    return `${messageAndHint(error)}${KEPT}${count}`;
  }

  async #lock(signal: AbortSignal): Promise<Disposable> {
    const path = join(this.#reporting.store.root, "reported.lock");
    this.isLockedOut = true;
    const lock = await awaitLock({ ...this.#context, signal }, path, { command: "report" });
    this.isLockedOut = false;
    return lock;
  }

  /** @returns whether the delivery is complete: the dashboard has the whole history, or requested a pause */
  async #deliverBatch(signal: AbortSignal): Promise<boolean> {
    const { store, facts, receiver } = this.#reporting;
    const state = this.#unnoted ?? readReportState(store, receiver.url);
    if (isPaused(state, this.#context.clock.now())) {
      this.#context.log.debug(`the dashboard requested a pause until ${state.notBefore}`);
      return true;
    }
    const { entries, atEnd } = this.#read(state);
    this.#waiting = { entries, atEnd };
    const batch = batchEntries(store, facts, entries.slice(0, this.#entriesMax));
    const sent = await this.#postFitting(state, batch, signal);
    const last = sent.at(-1);
    if (last === undefined) return true;
    this.#note(withCursor(state, last.cursor));
    this.delivered += sent.length;
    this.#waiting = { entries: entries.slice(sent.length), atEnd };
    return atEnd && sent.length === entries.length;
  }

  /**
   * Notes the state. If the disk does not take it, the next delivery sends the same events again, which is harmless.
   */
  #note(state: ReportState): void {
    try {
      writeReportState(this.#reporting.store, state);
    } catch (error) {
      if (this.#unnoted === undefined) this.#context.log.warn(messageOf(error));
      this.#unnoted = state;
    }
  }

  #read({ cursor }: ReportState): HistoryBatch {
    const { store } = this.#reporting;
    const batch = readAfter(store, cursor, BATCH_EVENTS_MAX);
    if (batch.found) return batch;
    this.#context.log.debug(
      "the last reported run is not in the history any more: the whole history is reported",
    );
    return readAfter(store, undefined, BATCH_EVENTS_MAX);
  }

  /** Posts as many of the entries as the dashboard accepts at once. @returns the posted ones */
  async #postFitting(
    state: ReportState,
    batch: readonly ReportedEntry[],
    signal: AbortSignal,
  ): Promise<readonly ReportedEntry[]> {
    let sent = batch;
    try {
      for (;;) {
        try {
          await this.#post(sent.flatMap(({ texts }) => texts), signal);
          return sent;
        } catch (error) {
          if (!isTooLarge(error)) throw error;
          if (sent.length === 1) break;
          this.#entriesMax = Math.ceil(sent.length / 2);
          sent = sent.slice(0, this.#entriesMax);
        }
      }
      return await this.#postAlone(sent, signal);
    } catch (error) {
      this.#rememberPause(state, error);
      throw error;
    }
  }

  /** Posts an entry that is too large by itself without its lists. */
  async #postAlone(sent: readonly ReportedEntry[], signal: AbortSignal): Promise<readonly ReportedEntry[]> {
    try {
      await this.#post(sent.flatMap((entry) => entry.shortened()), signal);
      return sent;
    } catch (error) {
      // These are a few kilobytes: not the dashboard refuses them, but a proxy.
      if (isTooLarge(error)) error.reviseHint("raise the limit of the proxy in front of the dashboard");
      throw error;
    }
  }

  async #post(texts: readonly string[], signal: AbortSignal): Promise<void> {
    if (texts.length === 0) return;
    await postEvents({ ...this.#context, signal }, this.#reporting.receiver, texts, this.#budgetMs);
  }

  #rememberPause(state: ReportState, error: unknown): void {
    if (!(error instanceof TransientError) || error.retryAfterMs === undefined) return;
    try {
      writeReportState(
        this.#reporting.store,
        withPause(state, error.retryAfterMs, this.#context.clock.now()),
      );
    } catch {
      // The disk is full: the next delivery sends a request once more.
    }
  }
}

function isTooLarge(error: unknown): error is ModelSyncError {
  return error instanceof ModelSyncError && error.code === TOO_LARGE;
}
