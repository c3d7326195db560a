import type { ReportSettings } from "../config/sections/report.ts";
import type { Context } from "../core/context.ts";
import { messageAndHint, messageOf } from "../core/errors.ts";
import type { RunSink } from "../store/run_sink.ts";
import { readHistory, type RunRecord } from "../store/history.ts";
import type { Store } from "../store/store.ts";
import type { BegunRun } from "./make_events.ts";
import { pingAddress, sendEndPing, sendStartPing } from "./send_ping.ts";

/** The time limit of a ping, which a hanging monitor adds to a run. */
const PING_TIMEOUT_MS = 5_000;

/** The longest time that the ping at the end waits for the ping at the start. */
const START_GRACE_MS = 2_000;

/** The runs that are searched for this one: others may have ended since. */
const LOOKBACK = 50;

/**
 * The commands that schedules run. An operator's commands, such as a rollback or a pause, do not show whether the
 * schedule works.
 */
const SCHEDULED_COMMANDS: readonly string[] = [
  "publish",
  "train",
  "hf-upload",
  "pull",
  "hf-pull",
  "artifact-pull",
  "runpod-pull",
  "references-sync",
  "redeploy",
];

/**
 * Pings a monitor that alerts when pings stop. It has no cursor: a ping that was not delivered is never sent later,
 * when an old success would pass for a new one. A killed run sends no ping, and so the monitor notices it.
 */
export class PingSink implements RunSink {
  readonly #store: Store;
  readonly #ping: ReportSettings["ping"] & { readonly url_env: string };
  readonly #giveUpStart = new AbortController();
  #run: { readonly runId: string; readonly startPing: Promise<void> } | undefined;

  constructor(store: Store, ping: ReportSettings["ping"] & { readonly url_env: string }) {
    this.#store = store;
    this.#ping = ping;
  }

  async started(context: Context, { runId, command }: BegunRun): Promise<void> {
    if (!SCHEDULED_COMMANDS.includes(command)) return;
    const startPing = this.#sendStart({ ...context, signal: this.#giveUpStart.signal }, runId);
    this.#run = { runId, startPing };
    await startPing;
  }

  async #sendStart(context: Context, runId: string): Promise<void> {
    const { url_env, style } = this.#ping;
    try {
      await sendStartPing(context, style, pingAddress(context.env, url_env), runId, PING_TIMEOUT_MS);
    } catch (error) {
      // The ping at the end logs the problem.
      context.log.debug(messageOf(error));
    }
  }

  /** Waits for the ping at the start: if it arrived after the end, the monitor would see a run that never ends. */
  async #awaitStart({ clock }: Context, startPing: Promise<void>): Promise<void> {
    const arrived = new AbortController();
    const grace = clock.sleep(START_GRACE_MS, arrived.signal).catch(() => {});
    await Promise.race([startPing, grace]);
    arrived.abort();
    this.#giveUpStart.abort();
    await Promise.all([startPing, grace]);
  }

  async deliver(context: Context, unwritten: readonly RunRecord[]): Promise<void> {
    if (this.#run === undefined) return;
    const { runId, startPing } = this.#run;
    const { url_env, style } = this.#ping;
    const beganMs = context.clock.monotonicMs();
    try {
      const isOurs = (record: RunRecord) => record.runId === runId;
      const record = unwritten.find(isOurs) ?? readHistory(this.#store, LOOKBACK).find(isOurs);
      if (record === undefined) return;
      await this.#awaitStart(context, startPing);
      const leftMs = PING_TIMEOUT_MS - (context.clock.monotonicMs() - beganMs);
      await sendEndPing(context, style, pingAddress(context.env, url_env), record, leftMs);
    } catch (error) {
      context.log.warn(messageAndHint(error));
    }
  }
}
