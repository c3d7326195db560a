import { join } from "node:path";
import type { AlertsSettings } from "../config/sections/alerts.ts";
import { isoSeconds } from "../core/clock.ts";
import type { Context } from "../core/context.ts";
import { withDeadline } from "../core/deadline.ts";
import { FailedError, messageOf } from "../core/errors.ts";
import { awaitLock } from "../core/lock.ts";
import type { RunSink } from "../store/run_sink.ts";
import type { RunRecord } from "../store/history.ts";
import { endOfHistory, type HistoryCursor, readAfter } from "../store/history_cursor.ts";
import type { Store } from "../store/store.ts";
import type { AlertEvent } from "./alert.ts";
import { decideAlert } from "./alert_memory.ts";
import { runMessage } from "./alert_message.ts";
import { type AlertState, type ChannelState, readAlertState, writeAlertState } from "./alert_state.ts";
import { type Channel, channelKey, channelsOf } from "./channels.ts";

/**
 * The time for all alerts: enough for three attempts at a channel. Service managers kill a stopped program after 90 s.
 */
const TOTAL_MS = 30_000;

/** The most alerts that a channel gets at the end of a run. The next run sends the rest. */
const ALERTS_MAX = 20;

/** The records that are read at a time. */
const RECORDS_MAX = 100;

/** The age after which an alert is given up: one that a channel never accepts must not block those after it. */
const AGE_MS_MAX = 7 * 24 * 3_600_000;

/**
 * Sends alerts by mail, webhook and chat. Each channel has its own cursor in the history: one that was unreachable gets
 * its alerts at the end of the next run, and the others get none twice. A new channel starts with this run.
 */
export class AlertSink implements RunSink {
  readonly #settings: AlertsSettings;
  readonly #store: Store;
  readonly #path: string;
  /** The position at which a new channel starts: before this run. */
  #begin: { readonly cursor: HistoryCursor | undefined } | undefined;

  constructor(settings: AlertsSettings, store: Store) {
    this.#settings = settings;
    this.#store = store;
    this.#path = join(store.root, "alerts.json");
  }

  /** Remembers the end of the history. If it cannot be read, the end of the run logs a warning. */
  started(): Promise<void> {
    try {
      this.#beginning();
    } catch {
      // The end of the run tries again.
    }
    return Promise.resolve();
  }

  /** Sends alerts for {@link TOTAL_MS} at most. A failure is logged, and the next run sends the alerts. */
  async deliver(context: Context, unwritten: readonly RunRecord[]): Promise<void> {
    try {
      const channels = channelsOf(context.env, this.#settings);
      if (channels.length === 0) return;
      await withDeadline(context, TOTAL_MS, tooLate, async (signal) => {
        await this.#deliverAll({ ...context, signal }, channels, unwritten);
      });
    } catch (error) {
      // A failed alert does not change the outcome of the run.
      warn(context, "send alerts", error);
    }
  }

  async #deliverAll(
    context: Context,
    channels: readonly Channel[],
    unwritten: readonly RunRecord[],
  ): Promise<void> {
    // Without the lock, two runs that end at once would send the same alert.
    using _lock = await this.#lock(context);
    const known = readAlertState(context.fs, this.#path);
    const state = new Map(known.channels);
    await Promise.all(channels.map(async (channel) => {
      const key = await channelKey(channel);
      const save = (next: ChannelState) => {
        state.set(key, next);
        remember(context, this.#path, state);
      };
      await this.#deliverTo(context, channel, known.channels.get(key) ?? this.#first(known), save, unwritten);
    }));
  }

  /** Takes the lock if it can: an alert of a full disk must not need space for a lock. */
  async #lock(context: Context): Promise<Disposable | undefined> {
    try {
      return await awaitLock(context, join(this.#store.root, "alerts.lock"), { command: "alerts" });
    } catch {
      context.signal.throwIfAborted();
      return undefined;
    }
  }

  #first({ earlier }: AlertState): ChannelState {
    return { cursor: this.#beginning(), failing: earlier };
  }

  #beginning(): HistoryCursor | undefined {
    this.#begin ??= { cursor: endOfHistory(this.#store) };
    return this.#begin.cursor;
  }

  async #deliverTo(
    context: Context,
    channel: Channel,
    from: ChannelState,
    save: (state: ChannelState) => void,
    unwritten: readonly RunRecord[],
  ): Promise<void> {
    const reached = await this.#catchUp(context, channel, from, save);
    if (reached === "unreachable") return;
    let state = reached;
    for (const record of unwritten) {
      const result = await this.#sendAlert(context, channel, state, record);
      if (result !== "failed") state = { ...state, failing: result.failing };
    }
    if (state !== from) save(state);
  }

  /** Sends the alerts of the runs after the channel's cursor, {@link ALERTS_MAX} at most. */
  async #catchUp(
    context: Context,
    channel: Channel,
    from: ChannelState,
    save: (state: ChannelState) => void,
  ): Promise<ChannelState | "unreachable"> {
    const isKnown = readAfter(this.#store, from.cursor, 1).found;
    let state = isKnown ? from : { ...from, cursor: this.#beginning() };
    for (let [sent, isAtEnd] = [0, false]; !isAtEnd;) {
      const batch = readAfter(this.#store, state.cursor, RECORDS_MAX);
      for (const { record, cursor } of batch.entries) {
        const result = await this.#sendAlert(context, channel, state, record);
        if (result === "failed") {
          save(state);
          return "unreachable";
        }
        state = { failing: result.failing, cursor };
        if (result.isSent) save(state);
        if (result.isSent && ++sent === ALERTS_MAX) return state;
      }
      isAtEnd = batch.atEnd;
    }
    return state;
  }

  /** Sends the alert of a run, if there is one. */
  async #sendAlert(
    context: Context,
    channel: Channel,
    { failing }: ChannelState,
    record: RunRecord,
  ): Promise<Pick<ChannelState, "failing"> & { readonly isSent: boolean } | "failed"> {
    const { steps: _steps, log: _log, ...alerted } = record;
    const event: AlertEvent = { ...alerted, modelsDir: this.#store.modelsDir };
    const endedMs = Date.parse(record.startedAt) + record.durationMs;
    const { alert, memory } = decideAlert(failing, event, this.#settings.on, new Date(endedMs));
    if (alert === undefined) return { failing: memory, isSent: false };
    try {
      await channel.send(context, runMessage(alert));
      return { failing: memory, isSent: true };
    } catch (error) {
      const isOld = context.clock.now().getTime() - endedMs > AGE_MS_MAX;
      const which = isOld ? ` of ${isoSeconds(new Date(endedMs))}, which is given up` : "";
      warn(context, `send ${channel.name}${which}`, error);
      return isOld ? { failing: memory, isSent: false } : "failed";
    }
  }
}

function remember(context: Context, path: string, channels: ReadonlyMap<string, ChannelState>): void {
  try {
    writeAlertState(context.fs, path, channels);
  } catch (error) {
    // The disk may be full, which an alert has just reported.
    warn(context, "remember which alerts were sent", error);
  }
}

function tooLate(): FailedError {
  return new FailedError(`it took longer than ${TOTAL_MS / 1000} s`, { code: "TIMEOUT" });
}

function warn({ log }: Context, action: string, error: unknown): void {
  log.warn(`cannot ${action}: ${messageOf(error)}`);
}
