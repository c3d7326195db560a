import { createHash } from "node:crypto";
import { join } from "node:path";
import { type FileSystem, findEntry } from "../core/files.ts";
import type { WorktreeStatus } from "./worktree_status.ts";

/** The index of a million files; a larger one is not read for its checksum. */
const INDEX_BYTES_MAX = 256 * 1024 * 1024;

/**
 * Returns what is wrong with the index of a clone; `undefined` where it is sound or missing. Git does not verify the
 * checksum, and `git status` writes what it made of a damaged index back with a good one, so this comes first.
 */
export function findIndexDamage(fs: FileSystem, gitDir: string): string | undefined {
  return isIndexSound(fs, join(gitDir, "index")) ? undefined : ".git/index does not match its checksum";
}

/**
 * Returns which damage makes the worktree of a clone of our own look changed; `undefined` where the changes are real.
 * Git takes a branch that lost its reference for a new one, and every file for an added one.
 */
export function findBranchDamage({ head, branch, dirty }: WorktreeStatus): string | undefined {
  if (head !== undefined || dirty.length === 0) return undefined;
  return `files are checked out, but the branch ${branch ?? ""} has no commit`;
}

/** Whether the index ends in the checksum of its content (gitformat-index(5)). */
function isIndexSound(fs: FileSystem, path: string): boolean {
  const size = findEntry(fs, path)?.size;
  if (size === undefined || size > INDEX_BYTES_MAX) return true;
  // SHA-1, or SHA-256 in a repository of that format. `index.skipHash` writes zeros.
  return ["sha1", "sha256"].some((algorithm) => {
    const hash = createHash(algorithm);
    const checksumBytes = algorithm === "sha1" ? 20 : 32;
    if (size < checksumBytes) return false;
    const checksum = readInto(fs, path, size - checksumBytes, hash);
    return hash.digest().equals(checksum) || checksum.every((byte) => byte === 0);
  });
}

const PIECE_BYTES = 1024 * 1024;

/** Hashes a file up to an offset and returns the rest of it. */
function readInto(
  fs: FileSystem,
  path: string,
  contentBytes: number,
  hash: ReturnType<typeof createHash>,
): Uint8Array {
  using file = fs.openSync(path, { read: true });
  const piece = new Uint8Array(PIECE_BYTES);
  const rest: number[] = [];
  for (let offset = 0;;) {
    const count = file.readSync(piece);
    if (count === null) return Uint8Array.from(rest);
    const inContent = Math.max(0, Math.min(count, contentBytes - offset));
    hash.update(piece.subarray(0, inContent));
    rest.push(...piece.subarray(inContent, count));
    offset += count;
  }
}
