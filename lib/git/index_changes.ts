import { join } from "node:path";
import type { Context } from "../core/context.ts";
import { ignoreDiskError } from "../core/errors.ts";
import { type FileSystem, findEntry } from "../core/files.ts";
import { replaceFile } from "../core/replace_file.ts";
import { Git } from "./git.ts";
import { INDEX_CHECKSUM_BYTES, indexChecksum } from "./index_file.ts";

/** Settings that override the user's configuration, so that git checks files strictly and runs no other program. */
const STRICT = [
  "core.checkStat=default",
  "core.ignoreStat=false",
  "core.fileMode=true",
  "core.fsmonitor=false",
  "core.preloadIndex=true",
];

/** Creates what git needs beside an index, to take a folder for a repository. Keeps what is there. */
export function createIndexFolder(fs: FileSystem, dir: string): void {
  for (const name of ["objects", "refs"]) fs.mkdirSync(join(dir, name), { recursive: true });
  const head = join(dir, "HEAD");
  if (findEntry(fs, head) === undefined) replaceFile(fs, head, "ref: refs/heads/none\n");
}

/** A folder, and the index that describes it. */
export interface IndexedFolder {
  /** The folder with the files. */
  readonly root: string;
  /** A repository without commits. */
  readonly gitDir: string;
  readonly index: string;
  /** The checksum that the index had when it was written. */
  readonly checksum: string;
  /** Whether a file counts as changed if only its ctime did. */
  readonly trustsCtime: boolean;
}

/** How a folder differs from the index that describes it. */
export interface IndexChanges {
  /** The indexed files that are gone or look changed. */
  readonly changed: Set<string>;
  /** The index, which has its checksum. */
  readonly index: Uint8Array;
}

/**
 * Compares a folder with its index; `undefined` if the index is missing, damaged or another one, or has no HEAD beside it.
 * Git examines 50,000 files in a quarter of the time that Deno needs.
 */
export async function listChangedFiles(
  context: Context,
  { root, gitDir, index, checksum, trustsCtime }: IndexedFolder,
): Promise<IndexChanges | undefined> {
  // Git would wait for a writer of a named pipe.
  const files = [index, join(gitDir, "HEAD")];
  if (!files.every((path) => findEntry(context.fs, path)?.isFile === true)) return undefined;
  const git = new Git(context, {
    repoDir: root,
    transferTimeoutMs: 0,
    env: { GIT_DIR: gitDir, GIT_WORK_TREE: root, GIT_INDEX_FILE: index },
    config: [...STRICT, `core.trustctime=${trustsCtime}`],
  });
  // This plumbing command compares times and sizes only, unlike `git diff`.
  const [listing, reading] = await Promise.allSettled([
    git.attempt(["diff-files", "--name-only", "-z"], { action: `check ${root} for changes`, isAlone: true }),
    readIntact(context.fs, index, checksum),
  ]);
  // Git fails, too, if the disk does not return the index, which is only a memory.
  if (reading.status === "rejected") {
    ignoreDiskError(reading.reason);
    return undefined;
  }
  if (listing.status === "rejected") throw listing.reason;
  const { code, stdout } = listing.value;
  if (code !== 0 || reading.value === undefined) return undefined;
  const changed = new Set(new TextDecoder().decode(stdout).split("\0").filter((path) => path !== ""));
  return { changed, index: reading.value };
}

/**
 * Reads an index; `undefined` for one that is damaged. Git does not compare it with its checksum, so a file whose entry is
 * damaged might not be examined. While the disk reads, the caller starts other programs.
 */
async function readIntact(
  fs: Pick<FileSystem, "open">,
  index: string,
  checksum: string,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  using file = await fs.open(index, { read: true });
  const bytes = new Uint8Array((await file.stat()).size);
  let length = 0;
  for (let count: number | null = 0; count !== null && length < bytes.length; length += count ?? 0) {
    count = await file.read(bytes.subarray(length));
  }
  return await indexChecksum(bytes.subarray(0, -INDEX_CHECKSUM_BYTES)) === checksum ? bytes : undefined;
}
