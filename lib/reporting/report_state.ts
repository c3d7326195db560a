import { z } from "zod";
import { diskError } from "../core/errors.ts";
import { PRIVATE_MODE, setMode, writeAllSync } from "../core/files.ts";
import { clearWay } from "../core/set_aside.ts";
import { HistoryCursor } from "../store/history_cursor.ts";
import { RebuiltFile } from "../store/rebuilt_file.ts";
import type { Store } from "../store/store.ts";

const ReportState = z.object({
  /** Which dashboard: another one gets the whole history. */
  receiver: z.string(),
  /** Up to which line it has everything; missing before the first delivery. */
  cursor: HistoryCursor.optional(),
  /** When it asked to be left alone until. */
  notBefore: z.iso.datetime().optional(),
});
/** What is known of a dashboard's side of the history. */
export type ReportState = Readonly<z.infer<typeof ReportState>>;

const STATE = new RebuiltFile<ReportState>("reported.json", ReportState);

/** A dashboard that asks for a longer pause is asked again after an hour: a wrong answer must not silence a node. */
const PAUSE_MS_MAX = 3_600_000;

/** Returns what was delivered to a dashboard. Without a record, or with a damaged one, that is nothing. */
export function readReportState(store: Store, receiver: string): ReportState {
  const state = STATE.find(store);
  return state?.receiver === receiver ? state : { receiver };
}

/**
 * Replaces the record, without syncing it: a power cut may cost it, and a history that is sent again costs nothing.
 *
 * @throws {DiskError} and the system's errors
 */
export function writeReportState(store: Store, state: ReportState): void {
  const { fs } = store;
  const path = STATE.path(store);
  try {
    clearWay(fs, `${path}.new`);
    {
      // The dashboard's address may hold a key.
      const options = { write: true, create: true, truncate: true, mode: PRIVATE_MODE };
      using file = fs.openSync(`${path}.new`, options);
      setMode(fs, `${path}.new`, PRIVATE_MODE);
      writeAllSync(file, new TextEncoder().encode(`${JSON.stringify(state)}\n`));
    }
    fs.renameSync(`${path}.new`, path);
  } catch (error) {
    throw diskError(error, "note up to where the history is reported");
  }
}

/** Whether the dashboard asked for a pause that is not over. A clock that was set back does not prolong it. */
export function isPaused({ notBefore }: ReportState, now: Date): boolean {
  const leftMs = notBefore === undefined ? 0 : Date.parse(notBefore) - now.getTime();
  return leftMs > 0 && leftMs <= PAUSE_MS_MAX;
}

/** Returns the state with a pause that the dashboard asked for. */
export function withPause(state: ReportState, retryAfterMs: number, now: Date): ReportState {
  const notBefore = new Date(now.getTime() + Math.min(retryAfterMs, PAUSE_MS_MAX)).toISOString();
  return { ...state, notBefore };
}

/** Returns the state after a delivery, which also ends a pause. */
export function withCursor({ receiver }: ReportState, cursor: HistoryCursor): ReportState {
  return { receiver, cursor };
}
