import { z } from "zod";
import { isDigest } from "./key_limits.ts";
import { keys } from "./keys.ts";
import { type PageRange, readPage, type RowPage } from "./page_range.ts";
import { ReleaseRow } from "./rows.ts";

/** The place of a release in their list: when it was first seen, and its digest. */
const CURSOR_PARTS = 2;

/** What the database gives at once. */
const KEYS_MAX = 10;

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
  const wanted = digests.filter(isDigest).map(keys.release);
  const groups = Array.from(
    { length: Math.ceil(wanted.length / KEYS_MAX) },
    (_, index) => wanted.slice(index * KEYS_MAX, (index + 1) * KEYS_MAX),
  );
  const entries = await Promise.all(groups.map((group) => kv.getMany<unknown[]>(group)));
  return entries.flat().flatMap(({ value }) => {
    const row = ReleaseRow.safeParse(value);
    return row.success ? [row.data] : [];
  });
}
