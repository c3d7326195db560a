import * as z from "zod";
import { diskError } from "../core/errors.ts";
import { PRIVATE_MODE, setMode, writeAllSync } from "../core/files.ts";
import { removeState } from "../core/set_aside.ts";
import { HistoryCursor } from "../store/history_cursor.ts";
import { RebuiltFile } from "../store/rebuilt_file.ts";
import type { Store } from "../store/store.ts";

const ReportState = z.object({
  /** The address of the dashboard. Another dashboard gets the whole history. */
  receiver: z.string(),
  /** The last delivered line; missing before the first delivery. */
  cursor: HistoryCursor.optional(),
  /** The end of the pause that the dashboard requested. */
  notBefore: z.iso.datetime().optional(),
});
/** The progress of reports to a dashboard. */
export type ReportState = Readonly<z.infer<typeof ReportState>>;

const STATE = new RebuiltFile<ReportState>("reported.json", ReportState);

/** The longest pause: a wrong `Retry-After` must not silence a node. */
const PAUSE_MS_MAX = 3_600_000;

/** Returns the progress of reports to a dashboard: the start of the history without a record, or with a damaged one. */
export function readReportState(store: Store, receiver: string): ReportState {
  const state = STATE.find(store);
  return state?.receiver === receiver ? state : { receiver };
}

/**
 * Replaces the record, without syncing it to disk: if a power cut loses it, the history is sent again, which is
 * harmless.
 *
 * @throws {DiskError}, and errors of the system
 */
export function writeReportState(store: Store, state: ReportState): void {
  const { fs } = store;
  const path = STATE.path(store);
  try {
    removeState(fs, `${path}.new`);
    {
      // The dashboard's address may hold a key.
      const options = { write: true, create: true, truncate: true, mode: PRIVATE_MODE };
      using file = fs.openSync(`${path}.new`, options);
      setMode(fs, `${path}.new`, PRIVATE_MODE);
      writeAllSync(file, new TextEncoder().encode(`${JSON.stringify(state)}\n`));
    }
    fs.renameSync(`${path}.new`, path);
  } catch (error) {
    throw diskError(error, "note how much of the history is reported");
  }
}

/** Returns whether a pause that the dashboard requested lasts. Setting the clock back does not prolong it. */
export function isPaused({ notBefore }: ReportState, now: Date): boolean {
  const leftMs = notBefore === undefined ? 0 : Date.parse(notBefore) - now.getTime();
  return leftMs > 0 && leftMs <= PAUSE_MS_MAX;
}

/** Returns the state with a pause that the dashboard requested. */
export function withPause(state: ReportState, retryAfterMs: number, now: Date): ReportState {
  const notBefore = new Date(now.getTime() + Math.min(retryAfterMs, PAUSE_MS_MAX)).toISOString();
  return { ...state, notBefore };
}

/** Returns the state after a delivery, which also ends a pause. */
export function withCursor({ receiver }: ReportState, cursor: HistoryCursor): ReportState {
  return { receiver, cursor };
}
