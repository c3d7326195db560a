import { join } from "node:path";
import type { AlertsSettings } from "../config/sections/alerts.ts";
import { isoSeconds } from "../core/clock.ts";
import type { Context } from "../core/context.ts";
import { withDeadline } from "../core/deadline.ts";
import { FailedError, messageOf } from "../core/errors.ts";
import { sha256Hex } from "../core/hash.ts";
import { awaitLock } from "../core/lock.ts";
import type { RunSink } from "../store/run_sink.ts";
import type { RunRecord } from "../store/history.ts";
import { endOfHistory, type HistoryCursor, readAfter } from "../store/history_cursor.ts";
import type { Store } from "../store/store.ts";
import type { AlertEvent } from "./alert.ts";
import { decideAlert } from "./alert_memory.ts";
import { runMessage } from "./alert_message.ts";
import { type AlertState, type ChannelState, readAlertState, writeAlertState } from "./alert_state.ts";
import { type Channel, channelsOf } from "./channels.ts";

/** Enough for three attempts at a channel; a service manager gives a program that was stopped 90 s to end. */
const TOTAL_MS = 30_000;

/** A channel that was away gets so many alerts at the end of a run; the next run goes on. */
const ALERTS_MAX = 20;

/** What is read of the history at a time. */
const RECORDS_MAX = 100;

/** After a week an alert is no news, and one that a channel will never take must not keep it silent for ever. */
const AGE_MS_MAX = 7 * 24 * 3_600_000;

/**
 * Alerts: mail, webhook and chat. Each channel reads the history with a cursor of its own, so that one that was away
 * catches up at the end of the next run, and the others are not notified twice. A channel that is new hears of runs
 * from then on.
 */
export class AlertSink implements RunSink {
  readonly #settings: AlertsSettings;
  readonly #store: Store;
  readonly #path: string;
  /** Where a new channel begins: before this run. */
  #begin: { readonly cursor: HistoryCursor | undefined } | undefined;

  constructor(settings: AlertsSettings, store: Store) {
    this.#settings = settings;
    this.#store = store;
    this.#path = join(store.root, "alerts.json");
  }

  /** A history that cannot be read is a warning at the end of the run. */
  started(): Promise<void> {
    try {
      this.#beginning();
    } catch {
      // The end of the run tries again.
    }
    return Promise.resolve();
  }

  /** Takes {@link TOTAL_MS} at most. What cannot be sent is a warning, and is sent by the next run. */
  async deliver(context: Context, unwritten: readonly RunRecord[]): Promise<void> {
    try {
      const channels = channelsOf(context.env, this.#settings);
      if (channels.length === 0) return;
      await withDeadline(context, TOTAL_MS, tooLate, async (signal) => {
        await this.#deliverAll({ ...context, signal }, channels, unwritten);
      });
    } catch (error) {
      // Whatever it was: the run has its outcome already.
      warn(context, "send alerts", error);
    }
  }

  async #deliverAll(
    context: Context,
    channels: readonly Channel[],
    unwritten: readonly RunRecord[],
  ): Promise<void> {
    // Two runs that end at once would send the same alert.
    using _lock = await this.#lock(context);
    const known = readAlertState(context.fs, this.#path);
    const state = new Map(known.channels);
    await Promise.all(channels.map(async (channel) => {
      const key = (await sha256Hex(channel.identity)).slice(0, KEY_CHARS);
      const save = (next: ChannelState) => {
        state.set(key, next);
        remember(context, this.#path, state);
      };
      await this.#deliverTo(context, channel, known.channels.get(key) ?? this.#first(known), save, unwritten);
    }));
  }

  /** A disk that takes no lock must not keep the alert back that says so. */
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
    if (reached === "away") return;
    let state = reached;
    for (const record of unwritten) {
      const told = await this.#tell(context, channel, state, record);
      if (told !== "failed") state = { ...state, failing: told.failing };
    }
    if (state !== from) save(state);
  }

  /** Sends what the history holds beyond the channel's cursor, {@link ALERTS_MAX} alerts at most. */
  async #catchUp(
    context: Context,
    channel: Channel,
    from: ChannelState,
    save: (state: ChannelState) => void,
  ): Promise<ChannelState | "away"> {
    const isKnown = readAfter(this.#store, from.cursor, 1).found;
    let state = isKnown ? from : { ...from, cursor: this.#beginning() };
    for (let [sent, isAtEnd] = [0, false]; !isAtEnd;) {
      const batch = readAfter(this.#store, state.cursor, RECORDS_MAX);
      for (const { record, cursor } of batch.entries) {
        const told = await this.#tell(context, channel, state, record);
        if (told === "failed") {
          save(state);
          return "away";
        }
        state = { failing: told.failing, cursor };
        if (told.isSent) save(state);
        if (told.isSent && ++sent === ALERTS_MAX) return state;
      }
      isAtEnd = batch.atEnd;
    }
    return state;
  }

  /** Sends what is news of a run. */
  async #tell(
    context: Context,
    channel: Channel,
    { failing }: ChannelState,
    record: RunRecord,
  ): Promise<Pick<ChannelState, "failing"> & { readonly isSent: boolean } | "failed"> {
    const { steps: _steps, log: _log, ...told } = record;
    const event: AlertEvent = { ...told, modelsDir: this.#store.modelsDir };
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

/** Enough to tell some channels apart. */
const KEY_CHARS = 16;

function remember(context: Context, path: string, channels: ReadonlyMap<string, ChannelState>): void {
  try {
    writeAlertState(context.fs, path, channels);
  } catch (error) {
    // A full disk, as the one that was just told of.
    warn(context, "remember which alerts were sent", error);
  }
}

function tooLate(): FailedError {
  return new FailedError(`it took longer than ${TOTAL_MS / 1000} s`, { code: "TIMEOUT" });
}

function warn({ log }: Context, action: string, error: unknown): void {
  log.warn(`cannot ${action}: ${messageOf(error)}`);
}
