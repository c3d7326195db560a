import type { Context } from "../core/context.ts";
import type { RunRecord } from "./history.ts";
import type { IntentRun } from "./intent.ts";

/**
 * A reader of the history that reports runs to other systems: alerts, reports, metrics. Each keeps a cursor of its
 * own in the store, so that what a killed run left or a server did not take is delivered by the next run, once. None
 * changes how a run ends.
 */
export interface RunSink {
  /** A run began: best effort, beside its work. Ends when the signal is aborted. Must not throw. */
  started?(context: Context, run: IntentRun): Promise<void>;
  /**
   * Delivers what follows its cursor, oldest first, in a bounded time. Called without the run's lock, also for a run
   * that was interrupted; must not throw.
   *
   * @param unwritten records that the disk did not take: delivered last, without moving the cursor
   */
  deliver(context: Context, unwritten: readonly RunRecord[]): Promise<void>;
}
