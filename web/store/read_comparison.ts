import {
  newestPublication,
  publishedAt,
  type PublishedRelease,
  readReleaseRows,
  readReleases,
  withPublications,
} from "./read_releases.ts";
import { keys } from "./keys.ts";
import { cursorOf } from "./page_range.ts";
import { resolveRelease } from "./search.ts";
import type { PublishedName, ReleaseRow } from "./rows.ts";
import { diffLists, type FileDiff, type FileList } from "../../lib/release/file_changes.ts";
import { readReleaseFiles } from "./read_release.ts";

/** Releases in the form's list. */
const NEAR_MAX = 20;

/** A release to compare with. */
export interface NearRelease extends Pick<ReleaseRow, "digest" | "sequence"> {
  readonly at: string;
}

/** A comparison of a release with another one. */
export interface Comparison {
  /** Newest first. */
  readonly near: readonly NearRelease[];
  /** The other release; `undefined` if none was found. */
  readonly against: Pick<ReleaseRow, "digest" | "sequence"> | undefined;
  /** `undefined` if the files of either are unknown. */
  readonly diff: ReleaseDiff | undefined;
  /** The text that the reader entered. */
  readonly typed: string | undefined;
  /** The matches of that text, unless there is exactly one. */
  readonly meant: readonly ReleaseRow[] | undefined;
}

/**
 * Returns the comparison of a release with the one that the reader entered, or else with the previous one.
 *
 * @param published what its publisher has published; empty where that is unknown
 */
export async function readComparison(
  kv: Deno.Kv,
  release: PublishedRelease,
  published: readonly PublishedName[],
  typed: string | undefined,
): Promise<Comparison> {
  const near = await readNear(kv, release, published);
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

/** Returns the previous release: the one that the publisher reported, or else the last one published before. */
async function previousOf(
  kv: Deno.Kv,
  release: PublishedRelease,
  near: readonly NearRelease[],
): Promise<Pick<ReleaseRow, "digest" | "sequence"> | undefined> {
  const named = newestPublication(release.publications)?.previous;
  const [row] = named === undefined ? [] : await readReleaseRows(kv, [named]);
  return row ?? near.find(({ at }) => at < publishedAt(release));
}

/** Returns releases of the same publisher that were published around this one. */
async function readNear(
  kv: Deno.Kv,
  release: PublishedRelease,
  published: readonly PublishedName[],
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
  for (const known of published) near.set(known.digest, known);
  near.delete(row.digest);
  const sorted = [...near.values()].sort((a, b) => b.at.localeCompare(a.at));
  const place = sorted.findIndex(({ at }) => at < publishedAt(release));
  const first = Math.max(0, (place === -1 ? sorted.length : place) - NEAR_MAX / 2);
  return sorted.slice(first, first + NEAR_MAX);
}

/** The differences between two releases. `isProven`: both lists match their digests. */
export interface ReleaseDiff extends FileDiff {
  readonly isProven: boolean;
}

/** Returns the differences between two releases; `undefined` if the files of either are unknown. */
export async function readReleaseDiff(
  kv: Deno.Kv,
  before: string,
  after: string,
): Promise<ReleaseDiff | undefined> {
  const rows = await readReleaseRows(kv, [before, after]);
  const [old, fresh] = await Promise.all(
    [before, after].map((digest) => readList(kv, rows.find((row) => row.digest === digest))),
  );
  if (old === undefined || fresh === undefined) return undefined;
  return { ...diffLists(old, fresh), isProven: rows.every(({ fileList }) => fileList === "proven") };
}

async function readList(kv: Deno.Kv, row: ReleaseRow | undefined): Promise<FileList | undefined> {
  if (row === undefined || row.fileList === "none") return undefined;
  const files = await readReleaseFiles(kv, row.digest);
  // A verified list is complete, whatever number another node reported.
  return files && { files, total: row.fileList === "proven" ? files.length : row.files ?? files.length };
}
