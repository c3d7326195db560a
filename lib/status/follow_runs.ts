import type { Context } from "../core/context.ts";
import type { RunRecord } from "../store/history.ts";
import { endOfHistory, type HistoryCursor, readAfter } from "../store/history_cursor.ts";
import { runsNewestFirst } from "../store/runs_newest_first.ts";
import type { Store } from "../store/store.ts";
import { passes, type RunFilter, selectRuns } from "./select_runs.ts";

/** A person reads along, and a look at an unchanged history costs a millisecond. */
const PAUSE_MS = 1_000;

/** The records that are held at a time. */
const BATCH_MAX = 200;

/** How to follow the history. */
export interface Following {
  /** Finds the store; `undefined` as long as there is none. */
  readonly open: () => Store | undefined;
  readonly filter: RunFilter;
  /** The number of runs to begin with; 0 for all. */
  readonly limit: number;
  /** Called with runs, oldest first; not with an empty list. */
  readonly show: (runs: readonly RunRecord[]) => void;
  /** Whether the reader of the runs has gone. */
  readonly isOver: () => boolean;
}

/** Shows the last runs and then each new one, until the signal is aborted. Needs read permission. */
export async function followRuns(
  { clock, signal }: Pick<Context, "clock" | "signal">,
  { open, filter, limit, show, isOver }: Following,
): Promise<void> {
  let store = open();
  let cursor = store === undefined || limit === 0 ? undefined : endOfHistory(store);
  const first = store === undefined || limit === 0 ? [] : lastRuns(store, filter, limit);
  if (first.length > 0) show(first);
  // They may have been recorded after the cursor was read.
  const shown = new Set(first.map(({ runId }) => runId));
  while (!signal.aborted && !isOver()) {
    store ??= open();
    const batch = store === undefined ? NOTHING : readNext(store, cursor);
    cursor = batch.cursor;
    const fresh = batch.runs.filter((run) => passes(run, filter) && !shown.delete(run.runId));
    if (fresh.length > 0) show(fresh);
    if (batch.atEnd && !await slept(clock, signal)) return;
  }
}

function lastRuns(store: Store, filter: RunFilter, limit: number): RunRecord[] {
  const runs: RunRecord[] = [];
  for (const run of selectRuns(runsNewestFirst(store), filter, { lines: 0 })) {
    runs.push(run);
    if (runs.length === limit) break;
  }
  return runs.reverse();
}

interface Batch {
  readonly runs: readonly RunRecord[];
  readonly cursor: HistoryCursor | undefined;
  readonly atEnd: boolean;
}

const NOTHING: Batch = { runs: [], cursor: undefined, atEnd: true };

/** A history that was lost or replaced is followed from its present end on. */
function readNext(store: Store, cursor: HistoryCursor | undefined): Batch {
  const { found, entries, atEnd } = readAfter(store, cursor, BATCH_MAX);
  if (!found) return { runs: [], cursor: endOfHistory(store), atEnd: true };
  return {
    runs: entries.map(({ record }) => record),
    cursor: entries.at(-1)?.cursor ?? cursor,
    atEnd,
  };
}

/** @returns whether the pause ended before the signal was aborted */
async function slept(clock: Context["clock"], signal: AbortSignal): Promise<boolean> {
  try {
    await clock.sleep(PAUSE_MS, signal);
    return true;
  } catch (error) {
    if (signal.aborted) return false;
    throw error;
  }
}
