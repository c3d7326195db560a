import { isNodeKey } from "./key_limits.ts";
import { keys } from "./keys.ts";
import { type PageRange, readPage, type RowPage } from "./page_range.ts";
import { RunRow } from "./rows.ts";

/** A run's place in its node's list: its start and its id. */
const CURSOR_PARTS = 2;

/**
 * Returns the runs of a node that have ended, newest first.
 *
 * @throws {UsageError} code `CURSOR_INVALID`
 */
export async function readRuns(kv: Deno.Kv, node: string, range: PageRange): Promise<RowPage<RunRow>> {
  if (!isNodeKey(node)) return { rows: [], older: undefined };
  return await readPage(kv, keys.runs(node), CURSOR_PARTS, RunRow, range);
}
