import { keys } from "./keys.ts";
import { type PageRange, readPage, type RowPage } from "./page_range.ts";
import { RunRow } from "./rows.ts";

/** The place of news in their list: their time, the node and the run. */
const CURSOR_PARTS = 3;

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
  return await readPage(kv, keys.allNews(), CURSOR_PARTS, RunRow, range);
}
