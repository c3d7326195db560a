import { diffLists, type FileDiff, type FileList } from "../fleet/compare_files.ts";
import { readReleaseFiles } from "./read_release.ts";
import { readReleaseRows } from "./read_releases.ts";
import type { ReleaseRow } from "./rows.ts";

/** What differs between two releases, and whether both lists were checked against the digests. */
export interface ReleaseDiff extends FileDiff {
  readonly isProven: boolean;
}

/** Returns what differs between two releases; `undefined` where publishers did not list the files of both. */
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
  // A proven list has every file, whatever another node said of their number.
  return files && { files, total: row.fileList === "proven" ? files.length : row.files ?? files.length };
}
