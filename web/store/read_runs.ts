import { isNodeKey, isRunKey, keys } from "./keys.ts";
import { type PageRange, readPage, type RowPage } from "./page_range.ts";
import { type NodeRow, RUNNING, RunPlace, RunRow } from "./rows.ts";
import { Finished } from "../../lib/wire/schema.ts";
import { readLongValue } from "./long_value.ts";

/** A run's place in its node's list: its start and its id. */
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

/** Run ids are unique but for copied stores. */
const NODES_MAX = 20;

/** A run with everything that its node reported of it. */
export interface StoredRun {
  readonly row: RunRow;
  /** Steps, the whole error, the end of the log; `undefined` where they are not stored any more. */
  readonly details: Finished | undefined;
  /** Every node that reported a run of this id. */
  readonly nodes: readonly string[];
}

/** Returns a run that has ended: that of the node, or of the first one that has it; `undefined` where there is none. */
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

/** When the run began, by node. */
async function readPlaces(kv: Deno.Kv, runId: string): Promise<ReadonlyMap<string, string>> {
  const places = new Map<string, string>();
  const list = kv.list({ prefix: keys.runPlaces(runId) }, { limit: NODES_MAX, batchSize: NODES_MAX });
  for await (const { key, value } of list) {
    const place = RunPlace.safeParse(value);
    if (place.success) places.set(String(key.at(-1)), place.data.startedAt);
  }
  return places;
}

/** The place of news in their list: their time, the node and the run. */
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

/** Returns a run that has not ended: its node alone knows of it. */
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
