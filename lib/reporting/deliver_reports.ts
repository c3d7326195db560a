import { join } from "node:path";
import type { Context } from "../core/context.ts";
import { withDeadline } from "../core/deadline.ts";
import { messageAndHint, messageOf, ModelSyncError, PassingError } from "../core/errors.ts";
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

/** To whom a store's history is reported, and as whom. */
export interface Reporting {
  readonly store: Store;
  readonly receiver: Receiver;
  readonly facts: NodeFacts;
}

/** Comes between a problem and what waits for its end. */
export const KEPT = ". Kept in the history and sent later: ";

/** What a delivery did. */
export interface Delivery {
  /** Lines of the history that the dashboard has now and had not before. */
  readonly delivered: number;
  /** Why it stopped before the end of the history, in a line that says what to do; `undefined` where nothing is wrong. */
  readonly problem: string | undefined;
}

/**
 * Delivers what the history holds beyond the dashboard's cursor, oldest first, in batches, for `budgetMs` at most. What
 * is left then is the next delivery's. Several processes may deliver at once: each batch is sent and noted under a lock,
 * so that the cursor only moves forward. Never throws.
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
    // A backlog that is on its way is not a problem, and neither is another process that delivers it.
    const isOnItsWay = run.isOverdue && (run.delivered > 0 || run.isLockedOut);
    return { delivered: run.delivered, problem: isOnItsWay ? undefined : run.describe(error) };
  }
}

class DeliveryRun {
  delivered = 0;
  /** Another process held the lock the last time that it was wanted. */
  isLockedOut = false;
  /** Entries that are read and not delivered. */
  #waiting: Pick<HistoryBatch, "entries" | "atEnd"> = { entries: [], atEnd: true };
  /** Up to where the dashboard has everything, where the disk does not take that. */
  #unnoted: ReportState | undefined;
  /** How many entries a batch has at most; halved where the dashboard takes fewer. */
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

  timeout(): PassingError {
    const { host } = new URL(this.#reporting.receiver.url);
    return new PassingError(`Cannot send reports: no answer from ${host} in ${this.#budgetMs / 1000} s`, {
      code: "TIMEOUT",
      hint: `check the network, and that ${host} is the dashboard`,
    });
  }

  async deliver(signal: AbortSignal, unwritten: readonly RunRecord[]): Promise<void> {
    for (;;) {
      using _lock = await this.#lock(signal);
      if (await this.#deliverBatch(signal)) break;
    }
    // Also in a pause that the dashboard asked for: nothing else keeps them.
    const { store, facts } = this.#reporting;
    const texts = unwritten.flatMap((record) => recordTexts(store, facts, record).texts);
    if (texts.length > 0) await this.#post(texts, signal);
  }

  /** A line in which everything is: what failed, why, what to do, and that nothing is lost. */
  describe(error: unknown): string {
    const { entries, atEnd } = this.#waiting;
    const count = entries.length === 0
      ? "what the dashboard does not have yet"
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

  /** @returns whether that was all: the dashboard has the whole history now, or asked for a pause */
  async #deliverBatch(signal: AbortSignal): Promise<boolean> {
    const { store, facts, receiver } = this.#reporting;
    const state = this.#unnoted ?? readReportState(store, receiver.url);
    if (isPaused(state, this.#context.clock.now())) {
      this.#context.log.debug(`the dashboard asked for no reports until ${state.notBefore}`);
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

  /** On a disk that does not take it, the next delivery sends the same events again, which does no harm. */
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
      "the history does not hold the last reported run any more: all of it is reported",
    );
    return readAfter(store, undefined, BATCH_EVENTS_MAX);
  }

  /** Posts as many of the entries as the dashboard takes at once. @returns those that it has now */
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

  /** An entry that is too large by itself goes without its lists. */
  async #postAlone(sent: readonly ReportedEntry[], signal: AbortSignal): Promise<readonly ReportedEntry[]> {
    try {
      await this.#post(sent.flatMap((entry) => entry.shortened()), signal);
      return sent;
    } catch (error) {
      // A few kilobytes at most: no dashboard means that.
      if (isTooLarge(error)) error.reviseHint("raise the limit of the proxy in front of the dashboard");
      throw error;
    }
  }

  async #post(texts: readonly string[], signal: AbortSignal): Promise<void> {
    if (texts.length === 0) return;
    await postEvents({ ...this.#context, signal }, this.#reporting.receiver, texts, this.#budgetMs);
  }

  #rememberPause(state: ReportState, error: unknown): void {
    if (!(error instanceof PassingError) || error.retryAfterMs === undefined) return;
    try {
      writeReportState(
        this.#reporting.store,
        withPause(state, error.retryAfterMs, this.#context.clock.now()),
      );
    } catch {
      // A full disk: the next delivery asks once more.
    }
  }
}

function isTooLarge(error: unknown): error is ModelSyncError {
  return error instanceof ModelSyncError && error.code === TOO_LARGE;
}
