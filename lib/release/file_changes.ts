import { compareUtf8 } from "../core/portable_path.ts";

/** A file of a release. */
export interface ListedFile extends KnownFile {
  readonly size: number;
  readonly sha256: string;
}

/** A file of which a carrier may not tell size and digest before the download. */
export interface KnownFile {
  readonly path: string;
  readonly size: number | undefined;
  readonly sha256: string | undefined;
}

/** A difference between two releases at one path. */
export interface FileChange {
  readonly path: string;
  readonly kind: "added" | "removed" | "changed" | "renamed";
  /** The previous path of a renamed file. */
  readonly from?: string;
  readonly sizeBefore: number | undefined;
  readonly sizeAfter: number | undefined;
}

/**
 * Returns the differences between two lists of files, by path. Files that only moved count as renamed, and files with an
 * unknown digest as changed.
 */
export function fileChanges(before: readonly KnownFile[], after: readonly KnownFile[]): FileChange[] {
  const old = new Map(before.map((file) => [file.path, file]));
  const fresh = new Map(after.map((file) => [file.path, file]));
  const removed = before.filter(({ path }) => !fresh.has(path));
  // Several files may have the same content. Each is the source of at most one renamed file.
  const moved = Map.groupBy(removed, ({ sha256 }) => sha256);
  const sources = new Set<string>();
  const changes: FileChange[] = [];
  for (const { path, size, sha256 } of after) {
    const earlier = old.get(path);
    if (earlier !== undefined && sha256 !== undefined && earlier.sha256 === sha256) continue;
    const isMoved = earlier === undefined && sha256 !== undefined;
    const source = isMoved ? moved.get(sha256)?.shift() : undefined;
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

/** A list of the files of a release. */
export interface FileList {
  readonly files: readonly KnownFile[];
  /** How many files the release has. The list may contain only the first ones. */
  readonly total: number;
}

/** The differences between two releases. */
export interface FileDiff {
  readonly changes: readonly FileChange[];
  /** The path up to which both lists were compared; `undefined` if all files were compared. */
  readonly comparedTo: string | undefined;
}

/**
 * Returns the differences between two lists. If a list is cut, only files up to its last path are compared: later ones
 * would look removed or added.
 */
export function diffLists(before: FileList, after: FileList): FileDiff {
  const ends = [before, after].flatMap(({ files, total }) =>
    files.length < total ? [files.at(-1)?.path ?? ""] : []
  );
  const [comparedTo] = ends.sort(compareUtf8);
  const isCompared = ({ path }: KnownFile) => comparedTo === undefined || compareUtf8(path, comparedTo) <= 0;
  return {
    changes: fileChanges(before.files.filter(isCompared), after.files.filter(isCompared)),
    comparedTo,
  };
}

/** Numbers of files by kind of change, and bytes added, removed and changed. */
export interface ChangeSums {
  readonly counts: Readonly<Record<FileChange["kind"], number>>;
  readonly addedBytes: number;
  readonly removedBytes: number;
  /** The new sizes of the changed files: what a carrier without deltas transfers. */
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
