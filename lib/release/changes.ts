import type { Sha256 } from "../core/hash.ts";
import { sortUtf8 } from "../core/portable_path.ts";
import { RefusedError } from "../core/errors.ts";
import { isClutter } from "./clutter.ts";
import type { ModelSet } from "./model_set.ts";

/** A file with what is known of its content. */
export interface ComparedFile {
  readonly path: string;
  readonly sha256: Sha256 | undefined;
}

/** How one file list becomes another. */
export interface ChangeList {
  readonly added: readonly string[];
  readonly modified: readonly string[];
  readonly removed: readonly string[];
}

/**
 * Compares two file lists by path and content. Content that is not known counts as modified. Archives and folders list
 * their files in any order; the result is sorted by path.
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
  const old = new Map(before.map((file) => [file.path, file.sha256]));
  const added: string[] = [];
  const modified: string[] = [];
  for (const file of after) {
    if (!old.has(file.path)) added.push(file.path);
    else if (file.sha256 === undefined || old.get(file.path) !== file.sha256) modified.push(file.path);
    old.delete(file.path);
  }
  return { added: sortUtf8(added), modified: sortUtf8(modified), removed: sortUtf8([...old.keys()]) };
}

export function countChanges(changes: ChangeList): number {
  return changes.added.length + changes.modified.length + changes.removed.length;
}

/** Returns the size of the added and modified files: what has to be sent, where nothing of it is there yet. */
export function changedBytes(
  { added, modified }: ChangeList,
  files: readonly { readonly path: string; readonly size: number }[],
): number {
  const changed = new Set([...added, ...modified]);
  return files.reduce((bytes, { path, size }) => bytes + (changed.has(path) ? size : 0), 0);
}

/**
 * Housekeeping files that an earlier version published do not count.
 *
 * @throws {RefusedError} code `SHRINK`: more than half of what was published would disappear
 */
export function refuseShrink(set: ModelSet, published: readonly string[]): void {
  const before = published.filter((path) => !isClutter(path));
  const kept = new Set(set.files.map((file) => file.path));
  const gone = before.filter((path) => !kept.has(path)).length;
  if (gone * 2 <= before.length) return;
  throw new RefusedError(
    `Cannot publish ${set.dir}: ${gone} of the ${before.length} published files would disappear`,
    {
      code: "SHRINK",
      hint: "if that is meant, run again with --allow-shrink",
    },
  );
}
