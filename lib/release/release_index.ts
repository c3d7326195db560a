import type { Digest } from "./manifest.ts";

/** What the files of a release have on the disk, in columns: row `i` of each belongs to `paths[i]`. */
export interface IndexedFiles {
  readonly paths: readonly string[];
  readonly sizes: Float64Array;
  readonly mtimesMs: Float64Array;
  readonly ctimesMs: Float64Array;
  readonly inodes: Float64Array;
  /** The rows in the order of their paths' bytes. */
  readonly rows: Uint32Array;
}

/** What all files of a release have in common. */
export type FileOwner = Pick<Deno.FileInfo, "dev" | "uid" | "gid">;

/**
 * Remembers how the files of the active release are on the disk. A pull then examines only those that changed. The memory
 * only saves time: it can be deleted.
 */
export interface ReleaseIndex {
  /** Fewer files are examined one by one in less time. */
  readonly filesMin: number;
  /**
   * Returns the paths of the files of a release that a folder may lack, or have with another content; `undefined` if that
   * release is not the remembered one.
   */
  findUnsure(release: Digest, folder: string): Promise<ReadonlySet<string> | undefined>;
  /**
   * Remembers a release instead of the one before it.
   *
   * @param others the paths of the files that are other files on the disk than in the release before. The index may
   * describe the older file
   * @returns whether it did: not if another release is remembered, or if too many files changed since the index was written
   */
  follow(before: Digest, release: Digest, others: readonly string[]): boolean;
  /** Remembers a release. */
  replace(release: Digest, files: IndexedFiles, owner: FileOwner): Promise<void>;
}
