import type { Lineage } from "../fleet/lag.ts";
import { newestPublication, publishedAt } from "../fleet/listed_release.ts";
import { type PublishedRelease, withPublications } from "./find_releases.ts";
import { keys } from "./keys.ts";
import { cursorOf } from "./page_range.ts";
import { readReleaseDiff, type ReleaseDiff } from "./read_release_diff.ts";
import { readReleaseRows, readReleases } from "./read_releases.ts";
import { resolveRelease } from "./resolve_release.ts";
import type { ReleaseRow } from "./rows.ts";

/** Releases that the form offers. */
const NEAR_MAX = 20;

/** A release that another one may be compared with. */
export interface NearRelease extends Pick<ReleaseRow, "digest" | "sequence"> {
  readonly at: string;
}

/** What a release is compared with. */
export interface Comparison {
  /** Newest first. */
  readonly near: readonly NearRelease[];
  /** The other release; `undefined` where none was found. */
  readonly against: Pick<ReleaseRow, "digest" | "sequence"> | undefined;
  /** `undefined` where the files of one of them are not known. */
  readonly diff: ReleaseDiff | undefined;
  /** What the reader typed. */
  readonly typed: string | undefined;
  /** The releases that the reader may mean, where that is not one. */
  readonly meant: readonly ReleaseRow[] | undefined;
}

/**
 * Returns what a release is compared with: what the reader typed, or else the release before it.
 *
 * @param lineage of its publisher, where that is known
 */
export async function readComparison(
  kv: Deno.Kv,
  release: PublishedRelease,
  lineage: Lineage | undefined,
  typed: string | undefined,
): Promise<Comparison> {
  const near = await readNear(kv, release, lineage);
  const { digest } = release.row;
  const named = typed === undefined ? undefined : await resolveRelease(kv, typed);
  const [only] = named ?? [];
  if (named !== undefined && (named.length !== 1 || only === undefined)) {
    return { near, against: undefined, diff: undefined, typed, meant: named };
  }
  const against = only ?? await previousOf(kv, release, near);
  const diff = against && await readReleaseDiff(kv, against.digest, digest);
  return { near, against, diff, typed, meant: undefined };
}

/** What its publisher named as the release before it, or else the last one that was published before. */
async function previousOf(
  kv: Deno.Kv,
  release: PublishedRelease,
  near: readonly NearRelease[],
): Promise<Pick<ReleaseRow, "digest" | "sequence"> | undefined> {
  const named = newestPublication(release.publications)?.previous;
  const [row] = named === undefined ? [] : await readReleaseRows(kv, [named]);
  return row ?? near.find(({ at }) => at < publishedAt(release));
}

/** The releases of the same publisher around a release. */
async function readNear(
  kv: Deno.Kv,
  release: PublishedRelease,
  lineage: Lineage | undefined,
): Promise<readonly NearRelease[]> {
  const { row, publications } = release;
  const publishers = new Set(publications.map(({ node }) => node));
  const cursor = cursorOf(keys.releaseAt(row.firstAt, row.digest), keys.releasesByTime());
  const page = await readReleases(kv, { limit: NEAR_MAX * 2, before: cursor });
  const older = (await withPublications(kv, page.rows)).filter((one) =>
    one.publications.some(({ node }) => publishers.has(node)) || publications.length === 0
  );
  const near = new Map<string, NearRelease>(
    older.map((one) => [one.row.digest, { ...one.row, at: publishedAt(one) }]),
  );
  for (const published of lineage?.published ?? []) near.set(published.digest, published);
  near.delete(row.digest);
  const sorted = [...near.values()].sort((a, b) => b.at.localeCompare(a.at));
  const place = sorted.findIndex(({ at }) => at < publishedAt(release));
  const first = Math.max(0, (place === -1 ? sorted.length : place) - NEAR_MAX / 2);
  return sorted.slice(first, first + NEAR_MAX);
}
