import { keys } from "./keys.ts";
import { cursorOf, PAGE_ROWS_MAX, type PageRange, type RowPage } from "./page_range.ts";
import { readReleases } from "./read_releases.ts";
import { readPublications } from "./read_publications.ts";
import type { Publication, ReleaseRow } from "./rows.ts";

/** Releases that one request looks through: the next page goes on from there. */
const SCANNED_MAX = 5 * PAGE_ROWS_MAX;
/** Lists that are read at the same time. */
const READS_MAX = 20;

/** A release and how it was published. */
export interface PublishedRelease {
  readonly row: ReleaseRow;
  readonly publications: readonly Publication[];
}

/** A page of what was looked for. */
export interface FoundReleases extends RowPage<PublishedRelease> {
  /** Whether the search stopped before the page was full: `older` goes on with it. */
  readonly isCut: boolean;
}

/**
 * Returns the releases that match, the one that was seen last first.
 *
 * @param matches what is wanted, by the row first, as most are sorted out by it
 * @param range `scannedMax`: about how many releases are looked through
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
    // Without a filter the first releases are a page.
    const wanted = scanned === 0 ? limit + 1 : PAGE_ROWS_MAX;
    const page = await readReleases(kv, { limit: wanted, before: cursor });
    scanned += wanted;
    const candidates = page.rows.filter(matches.row);
    for (let index = 0; index < candidates.length; index += READS_MAX) {
      const some = await withPublications(kv, candidates.slice(index, index + READS_MAX));
      found.push(...some.filter(({ publications }) => matches.publications?.(publications) ?? true));
      // One more than is shown: only then is there an older page.
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

/** Returns releases with how each was published. */
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
