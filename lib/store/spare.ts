import { join, posix } from "node:path";
import type { Context } from "../core/context.ts";
import { messageOf, osErrorCode } from "../core/errors.ts";
import {
  type FileSystem,
  findEntry,
  makeReadableFolder,
  READABLE_FOLDER_MODE,
  removeTree,
  setMode,
  syncFolder,
} from "../core/files.ts";
import type { Digest } from "../release/manifest.ts";
import { readPointer } from "./pointers.ts";
import { releaseDir, removeManifest } from "./releases.ts";
import { StatCache } from "./stat_cache.ts";
import type { Store } from "./store.ts";

/**
 * Removes a release. Moves its folders whose files the active release links, too, into the spare folder. The next pull
 * assembles its release there, and need neither link nor unlink the files that did not change.
 *
 * Nothing trusts its content: a file in it counts as unchanged if it is the same file as one of the active release.
 */
export async function retireRelease(store: Store, digest: Digest): Promise<void> {
  removeManifest(store, digest);
  try {
    fillSpare(store, digest);
  } catch (error) {
    // For example a folder of another user: the release is removed without a spare folder.
    if (osErrorCode(error) === undefined) throw error;
  }
  await removeTree(store.fs, releaseDir(store, digest));
  syncFolder(store.fs, store.releases);
}

function fillSpare(store: Store, digest: Digest): void {
  const { fs } = store;
  const active = readPointer(store, "current");
  if (active === undefined || findEntry(fs, store.spare) !== undefined) return;
  const own = StatCache.ofRelease(store, digest);
  const others = own.pathsOfOthers(StatCache.ofRelease(store, active));
  if (others.length === own.listed.paths.length) return;
  const dir = releaseDir(store, digest);
  if (findEntry(fs, dir)?.isDirectory !== true) return;
  // It becomes the spare folder when it is on the disk. What a killed run leaves in staging is removed.
  const filled = join(store.staging, "spare");
  moveFolders(fs, dir, filled, "", foldersAbove(others));
  fs.renameSync(filled, store.spare);
}

/** Returns the folders in which the paths are, and those above them; `.` for the first. */
function foldersAbove(paths: Iterable<string>): ReadonlySet<string> {
  const folders = new Set(["."]);
  for (const path of paths) {
    for (let folder = posix.dirname(path); !folders.has(folder); folder = posix.dirname(folder)) {
      folders.add(folder);
    }
  }
  return folders;
}

/**
 * Moves the folders in a folder into a new one, and of those with other files only the folders in them: where one of these
 * is still mounted, a consumer must not see a part of a release. To link their files again is as fast as a rename of each.
 */
function moveFolders(
  fs: FileSystem,
  from: string,
  to: string,
  prefix: string,
  withOthers: ReadonlySet<string>,
): void {
  makeNewFolder(fs, to);
  for (const { name, isDirectory } of Array.from(fs.readDirSync(from))) {
    if (!isDirectory) continue;
    const [source, target, path] = [`${from}/${name}`, `${to}/${name}`, prefix + name];
    if (withOthers.has(path)) moveFolders(fs, source, target, `${path}/`, withOthers);
    else fs.renameSync(source, target);
  }
  syncFolder(fs, to);
}

/**
 * Moves the entries of a folder into a new one in its place: where the old one is mounted, a consumer does not see what is
 * added.
 *
 * @param scratch a path on the same file system, at which is nothing
 */
export function renewFolder(fs: FileSystem, folder: string, scratch: string): void {
  makeNewFolder(fs, scratch);
  for (const { name } of Array.from(fs.readDirSync(folder))) {
    fs.renameSync(`${folder}/${name}`, `${scratch}/${name}`);
  }
  fs.removeSync(folder);
  fs.renameSync(scratch, folder);
}

/** Fails if there is a folder: its entries would become part of a release. */
function makeNewFolder(fs: FileSystem, path: string): void {
  fs.mkdirSync(path);
  setMode(fs, path, READABLE_FOLDER_MODE);
}

/** Removes the spare folder, if there is one. */
export async function removeSpare(store: Store): Promise<void> {
  if (findEntry(store.fs, store.spare) !== undefined) await removeTree(store.fs, store.spare);
}

/** What a folder holds of the spare folder: all wanted files but some. */
export interface SpareFiles {
  /** The wanted files that are not there. Most are there, so this takes less memory than a list of those. */
  readonly missing: ReadonlySet<string>;
  /** The folders from which something was removed. They are new, with the other entries of the old ones. */
  readonly changed: readonly string[];
  /** Where {@link renewFolder} may create a folder. */
  readonly scratch: string;
}

/**
 * Replaces an empty folder of staging by the spare folder, with only the wanted files. If that fails, the folder is empty
 * again.
 *
 * @param scratch where {@link renewFolder} may create a folder
 * @param wanted paths relative to `dir`
 * @returns `undefined` without a spare folder
 */
export async function takeSpare(
  context: Context,
  store: Store,
  dir: string,
  scratch: string,
  wanted: Iterable<string>,
): Promise<SpareFiles | undefined> {
  const { fs, spare } = store;
  if (findEntry(fs, spare)?.isDirectory !== true) return undefined;
  try {
    fs.removeSync(dir);
    fs.renameSync(spare, dir);
    const files = new WantedFiles(fs, scratch, wanted);
    files.collect(dir, "");
    return {
      missing: new Set(files.missing),
      changed: files.changed.map((folder) => join(dir, folder)),
      scratch,
    };
  } catch (error) {
    context.log.debug(`the folder of a removed release cannot be used again: ${messageOf(error)}`);
    await removeTree(fs, dir);
    makeReadableFolder(fs, dir);
    return undefined;
  }
}

/** What is left of an entry of a folder. */
type Left = "all" | "some" | "nothing";

/** Finds the wanted files of a folder, and removes everything else: other files, links, pipes and empty folders. */
class WantedFiles {
  /** The wanted files that were not found. */
  readonly missing: Set<string>;
  /** Relative to the folder. */
  readonly changed: string[] = [];
  readonly #fs: FileSystem;
  readonly #scratch: string;

  constructor(fs: FileSystem, scratch: string, wanted: Iterable<string>) {
    this.#fs = fs;
    this.#scratch = scratch;
    this.missing = new Set(wanted);
  }

  collect(folder: string, prefix: string): Left {
    const entries = Array.from(this.#fs.readDirSync(folder));
    const lefts = entries.map((entry) => this.#collectEntry(entry, folder, prefix));
    if (lefts.every((left) => left === "nothing")) return "nothing";
    setMode(this.#fs, folder, READABLE_FOLDER_MODE);
    if (lefts.every((left) => left === "all")) return "all";
    // The spare folder itself is new.
    if (prefix !== "") renewFolder(this.#fs, folder, this.#scratch);
    this.changed.push(prefix.slice(0, -1));
    return "some";
  }

  #collectEntry({ name, isFile, isDirectory }: Deno.DirEntry, folder: string, prefix: string): Left {
    const [location, path] = [`${folder}/${name}`, prefix + name];
    if (isDirectory) {
      const left = this.collect(location, `${path}/`);
      if (left !== "nothing") return left;
    } else if (isFile && this.missing.delete(path)) return "all";
    this.#fs.removeSync(location);
    return "nothing";
  }
}
