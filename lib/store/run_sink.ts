import type { Context } from "../core/context.ts";
import type { RunRecord } from "./history.ts";
import type { IntentRun } from "./intent.ts";

/**
 * A reader of the history that reports runs to another system: alerts, reports, metrics. Each has its own cursor in the
 * store: a run that was killed, or that a server did not accept, is delivered by the next run, once. A sink does not
 * change how a run ends.
 */
export interface RunSink {
  /** Called when a run begins, in parallel with its work; best effort. Ends when the signal is aborted. Must not throw. */
  started?(context: Context, run: IntentRun): Promise<void>;
  /**
   * Delivers the records after its cursor, oldest first, in a bounded time. Called without the run's lock, also after an
   * interruption. Must not throw.
   *
   * @param unwritten records that could not be written to the disk: they are delivered last and do not move the cursor
   */
  deliver(context: Context, unwritten: readonly RunRecord[]): Promise<void>;
}
