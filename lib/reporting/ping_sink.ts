import type { ReportSettings } from "../config/sections/report.ts";
import type { Context } from "../core/context.ts";
import { messageOf, ModelSyncError } from "../core/errors.ts";
import type { RunSink } from "../pipeline/run_sink.ts";
import { readHistory, type RunRecord } from "../store/history.ts";
import type { Store } from "../store/store.ts";
import type { BegunRun } from "./make_events.ts";
import { pingAddress, sendEndPing, sendStartPing } from "./send_ping.ts";

/** Each ping has as long: what a monitor that hangs adds to a run. */
const PING_TIMEOUT_MS = 5_000;

/** Other runs may have ended in between. */
const LOOKBACK = 50;

/**
 * The commands that a schedule runs. What an operator does by hand, as a rollback or a pause, says nothing of whether
 * the schedule is kept.
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
 * Pings a monitor that alerts when pings stop. It has no cursor: a ping says "now", so that one that was not delivered
 * is never sent later, when an old success would pass for a new one. A run that was killed sends none, which is how the
 * monitor notices it.
 */
export class PingSink implements RunSink {
  readonly #store: Store;
  readonly #ping: ReportSettings["ping"] & { readonly url_env: string };
  #runId: string | undefined;

  constructor(store: Store, ping: ReportSettings["ping"] & { readonly url_env: string }) {
    this.#store = store;
    this.#ping = ping;
  }

  async started(context: Context, { runId, command }: BegunRun): Promise<void> {
    if (!SCHEDULED_COMMANDS.includes(command)) return;
    this.#runId = runId;
    const { url_env, style } = this.#ping;
    try {
      await sendStartPing(context, style, pingAddress(context.env, url_env), runId, PING_TIMEOUT_MS);
    } catch (error) {
      // The ping at the end says what is wrong.
      context.log.debug(messageOf(error));
    }
  }

  async deliver(context: Context, unwritten: readonly RunRecord[]): Promise<void> {
    if (this.#runId === undefined) return;
    const { url_env, style } = this.#ping;
    try {
      const isOurs = ({ runId }: RunRecord) => runId === this.#runId;
      const record = unwritten.find(isOurs) ?? readHistory(this.#store, LOOKBACK).find(isOurs);
      if (record === undefined) return;
      await sendEndPing(context, style, pingAddress(context.env, url_env), record, PING_TIMEOUT_MS);
    } catch (error) {
      const hint = error instanceof ModelSyncError && error.hint !== undefined ? `; ${error.hint}` : "";
      context.log.warn(`${messageOf(error)}${hint}`);
    }
  }
}
