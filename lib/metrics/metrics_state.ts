import { z } from "zod";
import type { Context } from "../core/context.ts";
import { messageOf } from "../core/errors.ts";
import type { RunRecord } from "../store/history.ts";
import { HistoryCursor, readAfter } from "../store/history_cursor.ts";
import { RebuiltFile } from "../store/rebuilt_file.ts";
import type { Store } from "../store/store.ts";
import { countRuns, NO_RUNS, RunTotals } from "./run_totals.ts";

const MetricsState = z.object({
  /** Up to which line of the history runs are counted; missing while none is. */
  cursor: HistoryCursor.optional(),
  totals: RunTotals,
});
type MetricsState = Readonly<z.infer<typeof MetricsState>>;

const STATE = new RebuiltFile<MetricsState>("metrics.json", MetricsState);

const NOTHING_COUNTED: MetricsState = { totals: NO_RUNS };

/** Some 2 MB of history, which are parsed in some 50 ms: other work of the process waits no longer. */
const BATCH_RUNS = 1_000;

/** Only the first count of a long history takes as long; the rest of it is counted the next time. */
const COUNT_MS_MAX = 2_000;

/**
 * Counts the runs that followed since the last call, and remembers them as counted: each is counted once. Where the
 * state or the history was lost, everything starts over with the oldest run on record. The caller holds the lock.
 *
 * @param unwritten runs that the disk did not take
 * @returns the totals. Where the disk does not take them, they are those of the history alone, which the next call
 * counts again: counters never fall
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
    context.log.warn(`cannot remember which runs the metrics count: ${messageOf(error)}`);
    return onRecord.totals;
  }
}

/** Returns the totals as the last call of {@link countNewRuns} left them, with what followed. Writes nothing. */
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

/** Lets the process do what else is due. */
async function otherWork(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve));
}
