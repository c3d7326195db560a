import type { Sha256 } from "../core/hash.ts";
import { sortUtf8 } from "../core/portable_path.ts";
import { RefusedError } from "../core/errors.ts";
import { isClutter } from "./clutter.ts";
import { listed } from "./file_list.ts";
import type { Manifest, ReleaseFile } from "./manifest.ts";
import type { ListChanges } from "./plain_list.ts";
import type { ModelSet } from "./model_set.ts";

/** A file, with its digest if that is known. */
export interface ComparedFile {
  readonly path: string;
  readonly sha256: Sha256 | undefined;
}

/** The changes from one file list to another. */
export interface ChangeList {
  readonly added: readonly string[];
  readonly modified: readonly string[];
  readonly removed: readonly string[];
}

/**
 * Compares two file lists by path and digest. An unknown digest counts as modified. The lists may have any order; the
 * result is sorted by path.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { compareFiles } from "./changes.ts";
 * const changes = compareFiles([{ path: "a", sha256: "1" }, { path: "b", sha256: "2" }], [{ path: "b", sha256: "3" }]);
 * assert.deepEqual(changes, { added: [], modified: ["b"], removed: ["a"] });
 * ```
 */
export function compareFiles(before: readonly ComparedFile[], after: readonly ComparedFile[]): ChangeList {
  // Two lists of many files mostly begin and end with the same paths.
  const start = countSame((row) => before[row], (row) => after[row]);
  const ending = start === before.length && start === after.length
    ? 0
    : countSame((row) => before[before.length - 1 - row], (row) => after[after.length - 1 - row]);
  const end = Math.min(ending, before.length - start, after.length - start);
  const old = new Map(
    before.slice(start, before.length - end).map((file) => [file.path, file.sha256]),
  );
  const added: string[] = [];
  const modified: string[] = [];
  const compare = (file: ComparedFile, sha256: Sha256 | undefined) => {
    if (file.sha256 === undefined || sha256 !== file.sha256) modified.push(file.path);
  };
  for (const [row, file] of after.entries()) {
    if (row < start) compare(file, before[row]?.sha256);
    else if (row >= after.length - end) compare(file, before[row - after.length + before.length]?.sha256);
    else if (old.has(file.path)) {
      compare(file, old.get(file.path));
      old.delete(file.path);
    } else added.push(file.path);
  }
  return { added: sortUtf8(added), modified: sortUtf8(modified), removed: sortUtf8([...old.keys()]) };
}

/** Returns how many rows from the first on have the same path. */
function countSame(
  one: (row: number) => ComparedFile | undefined,
  other: (row: number) => ComparedFile | undefined,
): number {
  let count = 0;
  for (let file = one(count); file !== undefined && file.path === other(count)?.path; file = one(count)) {
    count++;
  }
  return count;
}

/** How the files of a release differ from those of the active one. */
export interface ReleaseChanges {
  readonly active: Manifest;
  /** The paths of the files that are new or have another content or size. */
  readonly changed: ReadonlySet<string>;
  /** The paths of the files that only the active release has. */
  readonly removed: ReadonlySet<string>;
}

/** Compares the files of a release with those of the active one. */
export function changesSince(active: Manifest, { files }: Manifest): ReleaseChanges {
  const { added, modified, removed } = compareFiles(active.files, files);
  const before = listed(active.files);
  const isResized = ({ path, size }: ReleaseFile) => (before.find(path)?.size ?? size) !== size;
  const resized = files.filter(isResized).map(({ path }) => path);
  return { active, changed: new Set([...added, ...modified, ...resized]), removed: new Set(removed) };
}

/** As {@link changesSince}, if the lines of both manifests were compared. */
export function changesOfLines(active: Manifest, { added, modified, removed }: ListChanges): ReleaseChanges {
  const others = modified.filter(({ before, after }) =>
    before.sha256 !== after.sha256 || before.size !== after.size
  );
  return {
    active,
    changed: new Set([...added, ...others.map(({ after }) => after)].map(({ path }) => path)),
    removed: new Set(removed.map(({ path }) => path)),
  };
}

export function countChanges(changes: ChangeList): number {
  return changes.added.length + changes.modified.length + changes.removed.length;
}

/** Returns the size of the added and modified files, in bytes. */
export function changedBytes(
  { added, modified }: ChangeList,
  files: readonly { readonly path: string; readonly size: number }[],
): number {
  const changed = new Set([...added, ...modified]);
  return files.reduce((bytes, { path, size }) => bytes + (changed.has(path) ? size : 0), 0);
}

/**
 * Refuses a publish that would remove more than half of the published files. Housekeeping files of earlier versions do
 * not count.
 *
 * @throws {RefusedError} code `SHRINK`
 */
export function refuseShrink(
  set: ModelSet,
  published: readonly string[],
  command: "publish" | "hf-upload",
): void {
  const kept = new Set(set.files.map((file) => file.path));
  if (published.every((path) => kept.has(path))) return;
  const before = published.filter((path) => !isClutter(path));
  const gone = before.filter((path) => !kept.has(path)).length;
  if (gone * 2 <= before.length) return;
  throw new RefusedError(
    `Cannot publish ${set.dir}: ${gone} of the ${before.length} published files would disappear`,
    {
      code: "SHRINK",
      hint: `if the removal is intended, run model-sync ${command} --allow-shrink`,
    },
  );
}
