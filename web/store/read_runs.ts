import { isNodeKey, isRunKey, keys } from "./keys.ts";
import { type PageRange, readPage, type RowPage } from "./page_range.ts";
import { type NodeRow, RUNNING, RunPlace, RunRow } from "./rows.ts";
import { Finished } from "../../lib/wire/schema.ts";
import { readLongValue } from "./long_value.ts";

/** Parts of a cursor of a node's runs: start and id. */
const RUN_CURSOR_PARTS = 2;

/**
 * Returns the runs of a node that have ended, newest first.
 *
 * @throws {UsageError} code `CURSOR_INVALID`
 */
export async function readRuns(kv: Deno.Kv, node: string, range: PageRange): Promise<RowPage<RunRow>> {
  if (!isNodeKey(node)) return { rows: [], older: undefined };
  return await readPage(kv, keys.runs(node), RUN_CURSOR_PARTS, RunRow, range);
}

/** Run ids are unique, except in copied stores. */
const NODES_MAX = 20;

/** A run with everything that its node reported. */
export interface StoredRun {
  readonly row: RunRow;
  /** Steps, the complete error and the end of the log; `undefined` if they are no longer stored. */
  readonly details: Finished | undefined;
  /** Every node that reported a run of this id. */
  readonly nodes: readonly string[];
}

/** Returns a run that has ended, of the given node or of the first that has it; `undefined` if there is none. */
export async function readRun(kv: Deno.Kv, runId: string, node?: string): Promise<StoredRun | undefined> {
  if (!isRunKey(runId) || (node !== undefined && !isNodeKey(node))) return undefined;
  const places = await readPlaces(kv, runId);
  const [first] = places.keys();
  const wanted = node ?? first;
  const startedAt = wanted === undefined ? undefined : places.get(wanted);
  if (wanted === undefined || startedAt === undefined) return undefined;
  const [entry, details] = await Promise.all([
    kv.get(keys.run(wanted, startedAt, runId)),
    readLongValue(kv, keys.runDetail(wanted, runId), Finished),
  ]);
  const row = RunRow.safeParse(entry.value);
  return row.success ? { row: row.data, details, nodes: [...places.keys()] } : undefined;
}

/** Returns the start of the run by node. */
async function readPlaces(kv: Deno.Kv, runId: string): Promise<ReadonlyMap<string, string>> {
  const places = new Map<string, string>();
  const list = kv.list({ prefix: keys.runPlaces(runId) }, { limit: NODES_MAX, batchSize: NODES_MAX });
  for await (const { key, value } of list) {
    const place = RunPlace.safeParse(value);
    if (place.success) places.set(String(key.at(-1)), place.data.startedAt);
  }
  return places;
}

/** Parts of a cursor of the activity: time, node and run. */
const NEWS_CURSOR_PARTS = 3;

/**
 * Returns the runs of all nodes that changed something or failed, newest first.
 *
 * @param range `after`: a cursor, or a time such as the evening before
 * @throws {UsageError} code `CURSOR_INVALID`
 */
export async function readNews(
  kv: Deno.Kv,
  range: PageRange & { readonly after?: string | undefined },
): Promise<RowPage<RunRow>> {
  return await readPage(kv, keys.allNews(), NEWS_CURSOR_PARTS, RunRow, range);
}

/** Returns a run that is in progress; only its node's row has it. */
export function findRunningRun(
  rows: Iterable<NodeRow>,
  runId: string,
  wanted: string | undefined,
): StoredRun | undefined {
  for (const { node, running } of rows) {
    if (wanted !== undefined && wanted !== node) continue;
    const run = running.find((one) => one.runId === runId);
    if (run === undefined) continue;
    const { command, startedAt } = run;
    const row = { node, runId, command, startedAt, outcome: RUNNING, durationMs: 0 };
    return { row, details: undefined, nodes: [node] };
  }
  return undefined;
}
