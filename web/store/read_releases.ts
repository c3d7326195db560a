import * as z from "zod";
import { isDigest, keys } from "./keys.ts";
import { cursorOf, PAGE_ROWS_MAX, type PageRange, readPage, type RowPage } from "./page_range.ts";
import { readRowsOf } from "./read_rows.ts";
import { Publication, ReleaseRow } from "./rows.ts";

/** Parts of a cursor of releases: when the release was first seen, and its digest. */
const CURSOR_PARTS = 2;

/**
 * Returns releases, newest first.
 *
 * @throws {UsageError} code `CURSOR_INVALID`
 */
export async function readReleases(kv: Deno.Kv, range: PageRange): Promise<RowPage<ReleaseRow>> {
  const page = await readPage(kv, keys.releasesByTime(), CURSOR_PARTS, z.string(), range);
  return { rows: await readReleaseRows(kv, page.rows), older: page.older };
}

/** Returns the releases with these digests, in the same order. Missing ones are left out. */
export async function readReleaseRows(kv: Deno.Kv, digests: readonly string[]): Promise<ReleaseRow[]> {
  return await readRowsOf(kv, digests.filter(isDigest).map(keys.release), ReleaseRow);
}

/** Releases that one request searches. The next page continues from there. */
const SCANNED_MAX = 5 * PAGE_ROWS_MAX;
/** Lists that are read at the same time. */
const READS_MAX = 20;

/** A release with its publications. */
export interface PublishedRelease {
  readonly row: ReleaseRow;
  readonly publications: readonly Publication[];
}

/** Returns when a release was last published, or else when it was first seen. */
export function publishedAt({ row, publications }: PublishedRelease): string {
  return newestPublication(publications)?.at ?? row.firstAt;
}

/** Returns the newest publication. */
export function newestPublication<Publication extends { readonly at: string }>(
  publications: readonly Publication[],
): Publication | undefined {
  return publications.toSorted((a, b) => b.at.localeCompare(a.at))[0];
}

/** A page of search results. */
export interface FoundReleases extends RowPage<PublishedRelease> {
  /** Whether the search stopped before the page was full. `older` continues it. */
  readonly isCut: boolean;
}

/**
 * Returns the releases that match, newest first.
 *
 * @param matches the filters; `row` is applied first because it excludes most releases
 * @param range `scannedMax`: the approximate number of releases to search
 * @throws {UsageError} code `CURSOR_INVALID`
 */
export async function findReleases(
  kv: Deno.Kv,
  matches: {
    readonly row: (row: ReleaseRow) => boolean;
    readonly publications?: ((publications: readonly Publication[]) => boolean) | undefined;
  },
  { limit, before, scannedMax = SCANNED_MAX }: PageRange & { readonly scannedMax?: number },
): Promise<FoundReleases> {
  const found: PublishedRelease[] = [];
  let cursor = before;
  for (let scanned = 0; scanned < scannedMax;) {
    // Without a filter, the first read is enough for the page.
    const wanted = scanned === 0 ? limit + 1 : PAGE_ROWS_MAX;
    const page = await readReleases(kv, { limit: wanted, before: cursor });
    scanned += wanted;
    const candidates = page.rows.filter(matches.row);
    for (let index = 0; index < candidates.length; index += READS_MAX) {
      const some = await withPublications(kv, candidates.slice(index, index + READS_MAX));
      found.push(...some.filter(({ publications }) => matches.publications?.(publications) ?? true));
      // One more than the page shows means that there is an older page.
      if (found.length > limit) return { ...cutAt(found, limit), isCut: false };
    }
    if (page.older === undefined) return { rows: found, older: undefined, isCut: false };
    cursor = page.older;
  }
  return { rows: found, older: cursor, isCut: true };
}

function cutAt(found: readonly PublishedRelease[], limit: number): RowPage<PublishedRelease> {
  const rows = found.slice(0, limit);
  const last = rows.at(-1)?.row;
  const prefix = keys.releasesByTime();
  return { rows, older: last && cursorOf(keys.releaseAt(last.firstAt, last.digest), prefix) };
}

/** Returns releases with their publications. */
export async function withPublications(
  kv: Deno.Kv,
  rows: readonly ReleaseRow[],
): Promise<PublishedRelease[]> {
  const found: PublishedRelease[] = [];
  for (let index = 0; index < rows.length; index += READS_MAX) {
    const group = rows.slice(index, index + READS_MAX);
    found.push(
      ...await Promise.all(group.map(async (row) => ({
        row,
        publications: await readPublications(kv, row.digest),
      }))),
    );
  }
  return found;
}

/**
 * A publisher has up to four carriers. Of releases that were published repeatedly, only the last publications are read.
 */
const PUBLICATIONS_MAX = 20;

/**
 * Returns the publications of a release, newest first: at most {@link PUBLICATIONS_MAX}, of the last nodes and carriers
 * by name.
 */
export async function readPublications(kv: Deno.Kv, digest: string): Promise<Publication[]> {
  const publications: Publication[] = [];
  const options = { reverse: true, limit: PUBLICATIONS_MAX, batchSize: PUBLICATIONS_MAX };
  for await (const { value } of kv.list({ prefix: keys.publications(digest) }, options)) {
    const publication = Publication.safeParse(value);
    if (publication.success) publications.push(publication.data);
  }
  return publications.sort((a, b) => b.at.localeCompare(a.at));
}
