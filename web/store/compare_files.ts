import { compareUtf8 } from "../../lib/core/portable_path.ts";

/** A file of a release. */
export interface ListedFile {
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
}

/** What differs between two releases at one path. */
export interface FileChange {
  readonly path: string;
  readonly kind: "added" | "removed" | "changed" | "renamed";
  /** Of a renamed file, where it was. */
  readonly from?: string;
  readonly sizeBefore: number | undefined;
  readonly sizeAfter: number | undefined;
}

/** Returns what differs between two lists of files, by path. Files that were only moved count as renamed. */
export function compareFiles(before: readonly ListedFile[], after: readonly ListedFile[]): FileChange[] {
  const old = new Map(before.map((file) => [file.path, file]));
  const fresh = new Map(after.map((file) => [file.path, file]));
  const removed = before.filter(({ path }) => !fresh.has(path));
  // Several files may have the same content: each of them is the source of one.
  const moved = Map.groupBy(removed, ({ sha256 }) => sha256);
  const sources = new Set<string>();
  const changes: FileChange[] = [];
  for (const { path, size, sha256 } of after) {
    const earlier = old.get(path);
    if (earlier?.sha256 === sha256) continue;
    const source = earlier === undefined ? moved.get(sha256)?.shift() : undefined;
    if (source !== undefined) {
      sources.add(source.path);
      changes.push({ path, kind: "renamed", from: source.path, sizeBefore: source.size, sizeAfter: size });
    } else if (earlier === undefined) {
      changes.push({ path, kind: "added", sizeBefore: undefined, sizeAfter: size });
    } else {
      changes.push({ path, kind: "changed", sizeBefore: earlier.size, sizeAfter: size });
    }
  }
  for (const { path, size } of removed) {
    if (!sources.has(path)) changes.push({ path, kind: "removed", sizeBefore: size, sizeAfter: undefined });
  }
  return changes.sort((a, b) => compareUtf8(a.path, b.path));
}

/** What a publisher said of the files of a release. */
export interface FileList {
  readonly files: readonly ListedFile[];
  /** How many files the release has; a list may hold the first of them only. */
  readonly total: number;
}

/** What differs between two releases. */
export interface FileDiff {
  readonly changes: readonly FileChange[];
  /** Up to which path both lists go; `undefined` where all files were compared. */
  readonly comparedTo: string | undefined;
}

/**
 * Returns what differs between two lists. A list that was cut says nothing of the files behind its last path, so only
 * those before it are compared: the others would seem to be removed or added.
 */
export function diffLists(before: FileList, after: FileList): FileDiff {
  const ends = [before, after].flatMap(({ files, total }) =>
    files.length < total ? [files.at(-1)?.path ?? ""] : []
  );
  const [comparedTo] = ends.sort(compareUtf8);
  const isCompared = ({ path }: ListedFile) => comparedTo === undefined || compareUtf8(path, comparedTo) <= 0;
  return {
    changes: compareFiles(before.files.filter(isCompared), after.files.filter(isCompared)),
    comparedTo,
  };
}

/** How many files changed in each way, and the bytes that were added, removed and replaced. */
export interface ChangeSums {
  readonly counts: Readonly<Record<FileChange["kind"], number>>;
  readonly addedBytes: number;
  readonly removedBytes: number;
  /** Of the changed files, as they are now: a carrier without deltas moves as much. */
  readonly changedBytes: number;
}

/** Returns the sums of changes. */
export function sumChanges(changes: readonly FileChange[]): ChangeSums {
  const counts = { added: 0, removed: 0, changed: 0, renamed: 0 };
  let [addedBytes, removedBytes, changedBytes] = [0, 0, 0];
  for (const { kind, sizeBefore = 0, sizeAfter = 0 } of changes) {
    counts[kind]++;
    if (kind === "added") addedBytes += sizeAfter;
    if (kind === "removed") removedBytes += sizeBefore;
    if (kind === "changed") changedBytes += sizeAfter;
  }
  return { counts, addedBytes, removedBytes, changedBytes };
}
