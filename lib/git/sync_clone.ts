import { dirname, join } from "node:path";
import { type Context, uninterrupted } from "../core/context.ts";
import { diskError } from "../core/errors.ts";
import { type FileSystem, findEntry, ifFound, syncFolder } from "../core/files.ts";
import { syncEach } from "../core/sync_files.ts";
import type { Git } from "./git.ts";

/** Some file systems store whole seconds, and FAT even seconds only. */
const CLOCK_GRAIN_MS = 2_000;

/** The number of parallel syncs: the disk writes several files at once. */
const PARALLEL_SYNCS_MAX = 8;

/** The names of the folders of objects, which contain only objects. */
const FAN_OUT = /^[0-9a-f]{2}$/;

/** Losing the end of a log breaks nothing. Git LFS objects are synced by name. */
const SKIPPED = ["logs", "lfs", "hooks"];

/** A clone that this run has locked. */
interface LockedClone {
  readonly git: Git;
  readonly gitDir: string;
  /** In another folder than `gitDir` for a linked worktree. */
  readonly objectsDir: string;
  readonly hasWorktree: boolean;
  /** A clone of our own has no files in its worktree. */
  readonly isOwn: boolean;
}

/**
 * Syncs what git wrote into the git folder of a clone in this run. Git itself syncs objects, the index and references
 * (`core.fsync`, since 2.36), but not `HEAD`, `shallow`, `config` or folders.
 */
export async function syncGitFolder(context: Context, clone: LockedClone): Promise<void> {
  const sinceMs = beginOf(context, clone);
  await syncTree(context, clone.gitDir, sinceMs);
  const inside = dirname(clone.objectsDir);
  if (inside !== clone.gitDir) await syncTree(context, inside, sinceMs);
}

/** Syncs what a push changes in a clone: references, and the folder of the record of packs that are not pushed. */
export async function syncAfterPush(context: Context, clone: LockedClone): Promise<void> {
  const inside = dirname(clone.objectsDir);
  await syncTree(context, join(inside, "refs"), beginOf(context, clone));
  await syncEntries(context, inside, [], [inside]);
}

/** Syncs every file and folder of a clone that is not in use yet. */
export async function syncNewClone(context: Context, root: string): Promise<void> {
  await syncTree(context, root, -Infinity);
}

/** Syncs the tracked files of a worktree that were written in this run, and their folders. */
export async function syncWorktree(context: Context, clone: LockedClone): Promise<void> {
  if (!clone.hasWorktree || clone.isOwn) return;
  const root = clone.git.repoDir;
  const listed = await clone.git.text(["ls-files", "-z"], { action: `list the worktree of ${root}` });
  const paths = listed.split("\0").filter((path) => path !== "").map((path) => join(root, path));
  const sinceMs = beginOf(context, clone);
  await syncFiles(context, root, paths.filter((path) => isNewer(findEntry(context.fs, path), sinceMs)));
}

/** Syncs files of a worktree or of a clone, and their folders. */
export async function syncFiles(context: Context, root: string, paths: readonly string[]): Promise<void> {
  await syncEntries(context, root, paths, foldersOf(root, paths));
}

/** Those that another program has removed meanwhile are left out. */
async function syncEntries(
  context: Context,
  root: string,
  files: readonly string[],
  folders: Iterable<string>,
): Promise<void> {
  try {
    // Objects are read-only, and Windows syncs only files that are open for writing.
    const present = files.filter((path) => findEntry(context.fs, path)?.isFile === true);
    if (Deno.build.os !== "windows") await syncEach(uninterrupted(context), present, PARALLEL_SYNCS_MAX);
    for (const folder of folders) ifFound(() => syncFolder(context.fs, folder));
  } catch (error) {
    throw diskError(error, `write ${root} to the disk`);
  }
}

/** Returns the folders of files, up to and including the root. */
function foldersOf(root: string, paths: readonly string[]): Set<string> {
  const folders = new Set<string>();
  for (const path of paths) {
    for (let folder = dirname(path); folder.length >= root.length; folder = dirname(folder)) {
      if (folders.has(folder)) break;
      folders.add(folder);
    }
  }
  return folders;
}

async function syncTree(context: Context, root: string, sinceMs: number): Promise<void> {
  const files: string[] = [];
  const folders: string[] = [];
  collect(context.fs, root, sinceMs, files, folders);
  await syncEntries(context, root, files, folders);
}

/**
 * Collects files and folders that changed since. Folders of objects are read only if they changed. A folder in which no name
 * changed need not be synced.
 */
function collect(fs: FileSystem, folder: string, sinceMs: number, files: string[], folders: string[]): void {
  const isChanged = isNewer(findEntry(fs, folder), sinceMs);
  if (isChanged) folders.push(folder);
  for (const { name, isDirectory, isFile } of ifFound(() => [...fs.readDirSync(folder)]) ?? []) {
    const path = join(folder, name);
    if (isDirectory) {
      if (SKIPPED.includes(name)) continue;
      const isRead = !FAN_OUT.test(name) || isNewer(findEntry(fs, path), sinceMs);
      if (isRead) collect(fs, path, sinceMs, files, folders);
    } else if (isFile && isNewer(findEntry(fs, path), sinceMs)) files.push(path);
  }
}

/** Returns when this run began, by the clock of the clone's file system, on which the run has written its lock. */
function beginOf({ fs }: Context, clone: LockedClone): number {
  const lock = findEntry(fs, join(clone.gitDir, "model-sync.lock"));
  return (lock?.mtime?.getTime() ?? -Infinity) - CLOCK_GRAIN_MS;
}

function isNewer(entry: Deno.FileInfo | undefined, sinceMs: number): boolean {
  if (entry === undefined) return false;
  // A rename changes only the ctime.
  return Math.max(entry.mtime?.getTime() ?? 0, entry.ctime?.getTime() ?? 0) >= sinceMs;
}
