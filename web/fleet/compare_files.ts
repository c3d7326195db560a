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
  const moved = new Map(removed.map((file) => [file.sha256, file]));
  const changes: FileChange[] = [];
  for (const { path, size, sha256 } of after) {
    const earlier = old.get(path);
    if (earlier?.sha256 === sha256) continue;
    const source = earlier === undefined ? moved.get(sha256) : undefined;
    if (source !== undefined) {
      moved.delete(sha256);
      changes.push({ path, kind: "renamed", from: source.path, sizeBefore: source.size, sizeAfter: size });
    } else if (earlier === undefined) {
      changes.push({ path, kind: "added", sizeBefore: undefined, sizeAfter: size });
    } else {
      changes.push({ path, kind: "changed", sizeBefore: earlier.size, sizeAfter: size });
    }
  }
  const sources = new Set(changes.flatMap(({ from }) => from ?? []));
  for (const { path, size } of removed) {
    if (!sources.has(path)) changes.push({ path, kind: "removed", sizeBefore: size, sizeAfter: undefined });
  }
  return changes.sort((a, b) => a.path < b.path ? -1 : 1);
}
