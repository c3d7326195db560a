import { Finished } from "../../lib/reporting/wire.ts";
import { isNodeKey, isRunKey } from "./key_limits.ts";
import { keys } from "./keys.ts";
import { readLongValue } from "./long_value.ts";
import { RunPlace, RunRow } from "./rows.ts";

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
