import { createHash } from "node:crypto";
import { join } from "node:path";
import { DiskError, diskError, FailedError, ModelSyncError, osErrorCode } from "../core/errors.ts";
import { formatBytes } from "../core/format.ts";
import { oneLine } from "../core/quote.ts";
import { type FileSystem, findEntry } from "../core/files.ts";
import type { Git } from "./git.ts";
import { readGitWords } from "./git_words.ts";
import type { WorktreeStatus } from "./worktree_status.ts";

/** A clone that git cannot work with. */
export class CloneDamagedError extends DiskError {
  /** What is wrong with it: `.git/HEAD is empty`. */
  readonly damage: string;

  constructor(repoDir: string, damage: string, cause?: unknown) {
    super(`Cannot use the clone ${repoDir}: ${oneLine(damage)}`, {
      code: "CLONE_DAMAGED",
      cause,
      hint: `check the disk and run git -C ${repoDir} fsck, or move the clone away and clone it again`,
    });
    this.damage = damage;
  }
}

/** What shows of a git folder without asking git. */
export interface GitFolderProblem {
  /** `unreadable`: a git that is run there may wait for ever. */
  readonly kind: "broken" | "unreadable";
  readonly reason: string;
}

/** The files of a git folder that git reads as soon as it is run there. */
const FILES = [
  "HEAD",
  "config",
  "index",
  "packed-refs",
  "shallow",
  "commondir",
  "objects/info/alternates",
  "info/attributes",
  "info/exclude",
  "info/grafts",
  "info/sparse-checkout",
  "config.worktree",
  "logs/HEAD",
];
/** Of these git reads every byte, however many; a user's are far below. */
const SMALL_FILES = FILES.filter((name) => name !== "index" && name !== "packed-refs");
const SMALL_BYTES_MAX = 16 * 1024 * 1024;
const FOLDERS = ["objects", "refs"];
/** Below these git opens files by names that only it knows. */
const OPENED_FOLDERS = ["refs", "objects"];

/** Clones of our own hold a few hundred; listing so many takes every run five milliseconds. Beyond, git's time limit holds. */
const ENTRIES_MAX = 2_000;

/** A commit's name, or a reference to a branch. */
const HEAD_TEXT = /^(?:ref: ?refs\/\S+|[0-9a-f]{40,64})\s*$/;

/** HEAD holds one name; more than this is no HEAD. */
const HEAD_BYTES_MAX = 4096;

/**
 * Says what is wrong with the `.git` folder of a clone, as far as that shows in its most important files; `undefined`
 * where nothing is, and where there is no such folder.
 *
 * @throws {DiskError} where the disk does not give a reference
 */
export function describeGitFolder(
  fs: FileSystem,
  repoDir: string,
  { remote, branch }: { readonly remote: string; readonly branch: string },
): GitFolderProblem | undefined {
  const gitDir = join(repoDir, ".git");
  if (look(fs, gitDir)?.isDirectory !== true) return undefined;
  const refs = [`refs/heads/${branch}`, `refs/remotes/${remote}/${branch}`];
  const logs = refs.map((ref) => `logs/${ref}`);
  for (const name of [...FILES, ...refs, ...logs, ...packNames(fs, gitDir), ...oddNames(fs, gitDir)]) {
    const reason = whyUnreadable(fs, join(gitDir, name));
    if (reason !== undefined) return { kind: "unreadable", reason: `.git/${name} is ${reason}` };
  }
  for (const name of SMALL_FILES) {
    const size = look(fs, join(gitDir, name))?.size ?? 0;
    if (size > SMALL_BYTES_MAX) {
      return { kind: "unreadable", reason: `.git/${name} has ${formatBytes(size)}` };
    }
  }
  for (const name of ["HEAD", "packed-refs", ...refs]) refuseDiskFault(fs, join(gitDir, name));
  for (const name of FOLDERS) {
    const entry = look(fs, join(gitDir, name));
    if (entry?.isDirectory === true) continue;
    return { kind: "broken", reason: `.git/${name} is ${entry === undefined ? "missing" : "not a folder"}` };
  }
  const head = look(fs, join(gitDir, "HEAD"));
  if (head === undefined) return { kind: "broken", reason: ".git/HEAD is missing" };
  if (head.size === 0) return { kind: "broken", reason: ".git/HEAD is empty" };
  const isHead = head.size <= HEAD_BYTES_MAX && HEAD_TEXT.test(fs.readTextFileSync(join(gitDir, "HEAD")));
  return isHead ? undefined : { kind: "broken", reason: ".git/HEAD holds no reference" };
}

/** What is at a path, links followed; `undefined` where there is nothing, or the system does not say. */
function look(fs: FileSystem, path: string): Deno.FileInfo | undefined {
  try {
    return fs.statSync(path);
  } catch {
    // Git finds out why, and says so.
    return undefined;
  }
}

/** What stands in the place of a file, if it is no file. A device is an empty file, as `/dev/null` is. */
function whyUnreadable(fs: FileSystem, path: string): string | undefined {
  try {
    const entry = fs.statSync(path);
    if (entry.isFile || entry.isCharDevice === true) return undefined;
    return entry.isDirectory ? "a folder" : "not a file";
  } catch (error) {
    return osErrorCode(error) === "ELOOP" ? "a link that leads back to itself" : undefined;
  }
}

/** To git a reference that the disk does not give is one that does not exist. @throws {DiskError} */
function refuseDiskFault(fs: FileSystem, path: string): void {
  try {
    using file = fs.openSync(path, { read: true });
    file.readSync(new Uint8Array(1));
  } catch (error) {
    const fault = diskError(error, `read ${path}`);
    if (fault instanceof DiskError) throw fault;
  }
}

/** The names of references and objects that are neither files nor folders, nor links to folders. */
function oddNames(fs: FileSystem, gitDir: string): string[] {
  const names: string[] = [];
  let left = ENTRIES_MAX;
  const visit = (folder: string) => {
    if (look(fs, join(gitDir, folder))?.isDirectory !== true) return;
    for (const entry of fs.readDirSync(join(gitDir, folder))) {
      if (left-- <= 0) return;
      const name = `${folder}/${entry.name}`;
      if (entry.isDirectory) visit(name);
      else if (!entry.isFile && look(fs, join(gitDir, name))?.isDirectory !== true) names.push(name);
    }
  };
  for (const folder of OPENED_FOLDERS) visit(folder);
  return names;
}

function packNames(fs: FileSystem, gitDir: string): string[] {
  const folder = "objects/pack";
  if (look(fs, join(gitDir, folder))?.isDirectory !== true) return [];
  return Array.from(fs.readDirSync(join(gitDir, folder)), ({ name }) => `${folder}/${name}`);
}

/** What a clone is asked about. */
export interface CheckedClone {
  readonly git: Git;
  /** Git fetches missing objects by itself: such a clone is asked in a way by which it does not. */
  readonly isLazy: boolean;
  readonly hasWorktree: boolean;
}

/**
 * Says what of a clone is damaged, as far as its references, its commits, the tree that is checked out and its index
 * show; `undefined` where nothing is. Contents of files are not read.
 */
export async function findDamage({ git, isLazy, hasWorktree }: CheckedClone): Promise<string | undefined> {
  const action = `check the clone ${git.repoDir}`;
  const broken = await findBrokenHistory(git, isLazy);
  if (broken !== undefined || !hasWorktree) return broken;
  const index = await git.attempt(["ls-files", "--", ":(top,literal).model-sync-none"], { action });
  if (index.code !== 0) return readGitWords(index.stderr).reason;
  const head = await git.attempt(["rev-parse", "--verify", "--quiet", "HEAD"], { action });
  if (head.code !== 0) return undefined;
  const tree = await git.attempt(
    ["rev-list", "--objects", "--missing=print", "--max-count=1", "HEAD", "--"],
    {
      action,
    },
  );
  if (tree.code !== 0) return readGitWords(tree.stderr).reason;
  const missing = /^\?([0-9a-f]+)/m.exec(new TextDecoder().decode(tree.stdout))?.[1];
  return missing === undefined || isLazy ? undefined : `object ${missing} is missing`;
}

/**
 * Says what of a clone's references and commits is damaged. This is asked before a fetch of a partial clone: a git that
 * fetches what it misses goes round in circles when what it already has is damaged.
 */
export async function findBrokenHistory(git: Git, isLazy: boolean): Promise<string | undefined> {
  const result = await git.attempt(
    // With `--missing` git does not fetch by itself, and lists missing commits with a question mark.
    isLazy ? ["rev-list", "--all", "--missing=print"] : ["rev-list", "--all", "--quiet"],
    { action: `check the commits of ${git.repoDir}` },
  );
  if (result.code !== 0) return readGitWords(result.stderr).reason;
  // A clone of a user's may do with an alternate that is gone.
  if (!isLazy && /^error: |^warning: ignoring broken ref/m.test(result.stderr)) {
    return readGitWords(result.stderr).reason;
  }
  const missing = isLazy ? /^\?([0-9a-f]+)/m.exec(new TextDecoder().decode(result.stdout))?.[1] : undefined;
  return missing === undefined ? undefined : `commit ${missing} is missing`;
}

/** Errors of git that nothing but the clone itself may explain. */
const UNEXPLAINED = ["GIT_FAILED", "GIT_OBJECT"];

/** Says which damage of the clone made a call fail; `undefined` where the clone is not to blame. */
export async function damageBehind(error: unknown, clone: CheckedClone): Promise<string | undefined> {
  if (error instanceof CloneDamagedError) return error.damage;
  if (!(error instanceof ModelSyncError)) return undefined;
  if (error.code === "GIT_DAMAGED") return error.message.slice(error.message.indexOf(": ") + 2);
  return UNEXPLAINED.includes(error.code) ? await findDamage(clone) : undefined;
}

/**
 * What git says about the other side's objects says nothing about this clone, unless it names a file of the clone.
 *
 * @param objectsDir of the clone
 */
export function ofRemote(error: unknown, objectsDir: string): unknown {
  if (!(error instanceof FailedError) || error.code !== "GIT_DAMAGED") return error;
  if (
    ["(stored in .git/objects/", `(stored in ${objectsDir}/`].some((place) => error.message.includes(place))
  ) {
    return error;
  }
  return new FailedError(error.message, { code: "GIT_FAILED", cause: error });
}

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
