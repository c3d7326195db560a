import { z } from "zod";
import { isDigest } from "./key_limits.ts";
import { keys } from "./keys.ts";
import { type PageRange, readPage, type RowPage } from "./page_range.ts";
import { readRowsOf } from "./read_rows.ts";
import { ReleaseRow } from "./rows.ts";

/** The place of a release in their list: when it was first seen, and its digest. */
const CURSOR_PARTS = 2;

/**
 * Returns the releases, the one that was seen last first.
 *
 * @throws {UsageError} code `CURSOR_INVALID`
 */
export async function readReleases(kv: Deno.Kv, range: PageRange): Promise<RowPage<ReleaseRow>> {
  const page = await readPage(kv, keys.releasesByTime(), CURSOR_PARTS, z.string(), range);
  return { rows: await readReleaseRows(kv, page.rows), older: page.older };
}

/** Returns the releases of these digests, in their order; those that are not stored are left out. */
export async function readReleaseRows(kv: Deno.Kv, digests: readonly string[]): Promise<ReleaseRow[]> {
  return await readRowsOf(kv, digests.filter(isDigest).map(keys.release), ReleaseRow);
}
