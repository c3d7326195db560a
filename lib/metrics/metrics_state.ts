import * as z from "zod";
import type { Context } from "../core/context.ts";
import { messageOf } from "../core/errors.ts";
import type { RunRecord } from "../store/history.ts";
import { HistoryCursor, readAfter } from "../store/history_cursor.ts";
import { RebuiltFile } from "../store/rebuilt_file.ts";
import type { Store } from "../store/store.ts";
import { countRuns, NO_RUNS, RunTotals } from "./run_totals.ts";

const MetricsState = z.object({
  /** The last counted line of the history; missing while none is counted. */
  cursor: HistoryCursor.optional(),
  totals: RunTotals,
});
type MetricsState = Readonly<z.infer<typeof MetricsState>>;

const STATE = new RebuiltFile<MetricsState>("metrics.json", MetricsState);

const NOTHING_COUNTED: MetricsState = { totals: NO_RUNS };

/** The records that are read at once: about 2 MB, parsed in about 50 ms. Other work of the process waits no longer. */
const BATCH_RUNS = 1_000;

/** The time limit of one count. Only the first count of a long history reaches it; the next one continues. */
const COUNT_MS_MAX = 2_000;

/**
 * Counts the runs since the last call, and remembers that they are counted: each is counted once. Where the state or
 * the history was lost, counting starts over with the oldest run on record. The caller holds the lock.
 *
 * @param unwritten runs that the disk did not take
 * @returns the totals. If the disk does not take them, they are without `unwritten`, which the next call could not
 * count again: counters never decrease
 */
export async function countNewRuns(
  context: Context,
  store: Store,
  unwritten: readonly RunRecord[] = [],
): Promise<RunTotals> {
  const before = STATE.find(store) ?? NOTHING_COUNTED;
  const onRecord = await followHistory(context, store, before);
  const all = unwritten.length === 0
    ? onRecord
    : { ...onRecord, totals: countRuns(onRecord.totals, unwritten) };
  if (all === before) return all.totals;
  try {
    STATE.replace(store, all);
    return all.totals;
  } catch (error) {
    context.log.warn(`cannot remember which runs are in the metrics: ${messageOf(error)}`);
    return onRecord.totals;
  }
}

/** Returns the totals of the last call of {@link countNewRuns}, with the runs since. Writes nothing. */
export async function readTotals(context: Context, store: Store): Promise<RunTotals> {
  const before = STATE.find(store) ?? NOTHING_COUNTED;
  return (await followHistory(context, store, before)).totals;
}

async function followHistory(context: Context, store: Store, before: MetricsState): Promise<MetricsState> {
  const { clock } = context;
  const endMs = clock.monotonicMs() + COUNT_MS_MAX;
  let state = before;
  for (let atEnd = false; !atEnd && clock.monotonicMs() < endMs;) {
    const batch = readAfter(store, state.cursor, BATCH_RUNS);
    const last = batch.entries.at(-1);
    if (!batch.found) state = NOTHING_COUNTED;
    else if (last !== undefined) {
      const runs = batch.entries.map(({ record }) => record);
      state = { cursor: last.cursor, totals: countRuns(state.totals, runs) };
    }
    atEnd = batch.found && batch.atEnd;
    if (!atEnd) await otherWork();
  }
  return state;
}

/** Lets other work of the process run. */
async function otherWork(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve));
}
