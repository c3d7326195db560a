import type { Hash } from "node:crypto";
import { join } from "node:path";
import {
  DiskError,
  diskError,
  FailedError,
  ModelSyncError,
  osErrorCode,
  UnreachableError,
} from "../core/errors.ts";
import { formatBytes } from "../core/format.ts";
import { oneLine } from "../core/quote.ts";
import { type FileSystem, findEntry } from "../core/files.ts";
import type { Git } from "./git.ts";
import { readGitWords } from "./git_words.ts";
import type { RemoteUrl } from "./remote_url.ts";
import type { WorktreeStatus } from "./worktree_status.ts";

/** A clone that git cannot work with. */
export class CloneDamagedError extends DiskError {
  /** The damage: `.git/HEAD is empty`. */
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

/** Damage of a git folder that is visible without running git. */
export interface GitFolderProblem {
  /** `unreadable`: git would hang when it reads the folder. */
  readonly kind: "broken" | "unreadable";
  readonly reason: string;
}

/** The files that git reads at every start. */
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
/** Git reads these files completely, whatever their size. A user's files are far smaller than the limit. */
const SMALL_FILES = FILES.filter((name) => name !== "index" && name !== "packed-refs");
const SMALL_BYTES_MAX = 16 * 1024 * 1024;
const FOLDERS = ["objects", "refs"];
/** In these folders, git opens files whose names only it knows. */
const OPENED_FOLDERS = ["refs", "objects"];

/**
 * Clones of our own have a few hundred entries. Listing this many costs every run five milliseconds; in larger clones,
 * git's time limit applies.
 */
const ENTRIES_MAX = 2_000;

/** A commit's name, or a reference to a branch. */
const HEAD_TEXT = /^(?:ref: ?refs\/\S+|[0-9a-f]{40,64})\s*$/;

/** A larger file is not a HEAD. */
const HEAD_BYTES_MAX = 4096;

/**
 * Returns the damage of a clone's `.git` folder that its most important files show; `undefined` if there is none, or no
 * such folder.
 *
 * @throws {DiskError} a reference cannot be read from the disk
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

/** Returns the entry at a path, links followed; `undefined` if there is none or it cannot be read. */
function look(fs: FileSystem, path: string): Deno.FileInfo | undefined {
  try {
    return fs.statSync(path);
  } catch {
    // Git will report the reason.
    return undefined;
  }
}

/**
 * Returns what is in the place of a file: not a file, or a circle of links. A device counts as an empty file, as
 * `/dev/null` does.
 */
function whyUnreadable(fs: FileSystem, path: string): string | undefined {
  try {
    const entry = fs.statSync(path);
    if (entry.isFile || entry.isCharDevice === true) return undefined;
    return entry.isDirectory ? "a folder" : "not a file";
  } catch (error) {
    return osErrorCode(error) === "ELOOP" ? "a link that leads back to itself" : undefined;
  }
}

/** Reads a reference: git treats one that the disk cannot read as missing. */
function refuseDiskFault(fs: FileSystem, path: string): void {
  try {
    using file = fs.openSync(path, { read: true });
    file.readSync(new Uint8Array(1));
  } catch (error) {
    const fault = diskError(error, `read ${path}`);
    if (fault instanceof DiskError) throw fault;
  }
}

/** Returns the names of references and objects that are neither files nor folders, nor links to folders. */
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

/** A clone to check. */
export interface CheckedClone {
  readonly git: Git;
  /** Git fetches missing objects by itself, which a check must not cause. */
  readonly isLazy: boolean;
  readonly hasWorktree: boolean;
}

/**
 * Returns the damage of a clone's references, commits, checked-out tree and index; `undefined` if there is none.
 * Contents of files are not read.
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
 * Returns the damage of a clone's references and commits. Called before a fetch in a partial clone: if existing commits
 * are damaged, git fetches without end.
 */
export async function findBrokenHistory(git: Git, isLazy: boolean): Promise<string | undefined> {
  const result = await git.attempt(
    // With `--missing` git does not fetch by itself, and lists missing commits with a question mark.
    isLazy ? ["rev-list", "--all", "--missing=print"] : ["rev-list", "--all", "--quiet"],
    { action: `check the commits of ${git.repoDir}`, isAlone: true },
  );
  if (result.code !== 0) return readGitWords(result.stderr).reason;
  // A user's clone may work although an alternate is missing.
  if (!isLazy && /^error: |^warning: ignoring broken ref/m.test(result.stderr)) {
    return readGitWords(result.stderr).reason;
  }
  const missing = isLazy ? /^\?([0-9a-f]+)/m.exec(new TextDecoder().decode(result.stdout))?.[1] : undefined;
  return missing === undefined ? undefined : `commit ${missing} is missing`;
}

/** Errors of git that damage of the clone may explain. */
const UNEXPLAINED = ["GIT_FAILED", "GIT_OBJECT"];

/** Returns the damage of the clone that caused an error; `undefined` if the clone is not the cause. */
export async function damageBehind(error: unknown, clone: CheckedClone): Promise<string | undefined> {
  if (error instanceof CloneDamagedError) return error.damage;
  if (!(error instanceof ModelSyncError)) return undefined;
  if (error.code === "GIT_DAMAGED") return error.message.slice(error.message.indexOf(": ") + 2);
  return UNEXPLAINED.includes(error.code) ? await findDamage(clone) : undefined;
}

/** What git says of a pack that it receives, and not of one in a clone. */
const RECEIVED = /pack has bad object at offset|pack is corrupted|bad pack header/;

/**
 * Returns an error of reading from the remote. Damaged objects are those of the remote, unless git names a file of the clone.
 * A pack may also be damaged on its way: another attempt may succeed.
 */
export function ofRemote(
  error: unknown,
  { objectsDir, remoteUrl }: { readonly objectsDir: string; readonly remoteUrl: RemoteUrl },
): unknown {
  if (!(error instanceof FailedError) || error.code !== "GIT_DAMAGED") return error;
  if (
    ["(stored in .git/objects/", `(stored in ${objectsDir}/`].some((place) => error.message.includes(place))
  ) {
    return error;
  }
  if (!remoteUrl.isLocal && RECEIVED.test(error.message)) {
    return new UnreachableError(error.message, {
      code: "GIT_UNREACHABLE",
      cause: error,
      hint:
        "run again; if it fails again, check the registry's repository with git fsck, and the network's proxies",
    });
  }
  return new FailedError(error.message, { code: "GIT_FAILED", cause: error });
}

/** The size of an index of a million files. The checksum of a larger one is not verified. */
const INDEX_BYTES_MAX = 256 * 1024 * 1024;

/**
 * Returns the damage of a clone's index; `undefined` if it is valid or missing. Git does not verify the checksum, and
 * `git status` rewrites a damaged index with a valid one, so call this first.
 */
export async function findIndexDamage(fs: FileSystem, gitDir: string): Promise<string | undefined> {
  return await isIndexSound(fs, join(gitDir, "index")) ? undefined : ".git/index does not match its checksum";
}

/**
 * Returns the damage that makes the worktree of a clone of our own look changed; `undefined` if the changes are real.
 * If a branch lost its reference, git treats it as new, and every file as added.
 */
export function findBranchDamage({ head, branch, dirty }: WorktreeStatus): string | undefined {
  if (head !== undefined || dirty.length === 0) return undefined;
  return `files are checked out, but the branch ${branch ?? ""} has no commit`;
}

/** Whether the index ends in the checksum of its content (gitformat-index(5)). */
async function isIndexSound(fs: FileSystem, path: string): Promise<boolean> {
  const size = findEntry(fs, path)?.size;
  if (size === undefined || size > INDEX_BYTES_MAX) return true;
  // Loaded only here: most pulls have no index, and the module costs as much as the start of Deno.
  const { createHash } = await import("node:crypto");
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
  hash: Hash,
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
