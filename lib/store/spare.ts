import { dirname, join, sep } from "node:path";
import type { Context } from "../core/context.ts";
import { messageOf, osErrorCode } from "../core/errors.ts";
import {
  type FileSystem,
  findEntry,
  ifFound,
  makeReadableFolder,
  READABLE_FOLDER_MODE,
  removeIfThere,
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
 * Removes a release. Moves its folders into the spare folder if they have files that the active release links, too. The
 * next pull assembles its release there, and need neither link nor unlink the files that did not change. All other files
 * are removed, so the spare folder holds no content of its own.
 *
 * Nothing trusts its content: a file in it counts as unchanged if it is the same file as one of the active release.
 */
export async function retireRelease(store: Store, digest: Digest): Promise<void> {
  removeManifest(store, digest);
  try {
    fillSpare(store, digest);
  } catch (error) {
    // For example a read-only folder: the release is removed without a spare folder.
    if (osErrorCode(error) === undefined) throw error;
  }
  await removeTree(store.fs, releaseDir(store, digest));
  syncFolder(store.fs, store.releases);
}

/** The release's own folder is not moved: a container that has it mounted sees an empty folder, and not a part of it. */
function fillSpare(store: Store, digest: Digest): void {
  const { fs } = store;
  const active = readPointer(store, "current");
  if (active === undefined || findEntry(fs, store.spare) !== undefined) return;
  const own = StatCache.ofRelease(store, digest);
  const others = own.pathsOfOthers(StatCache.ofRelease(store, active));
  if (others.length === own.listed.paths.length) return;
  const dir = releaseDir(store, digest);
  if (findEntry(fs, dir)?.isDirectory !== true) return;
  const locations = others.map((path) => join(dir, path));
  const changed = [...new Set(locations.map((location) => dirname(location)))];
  if (!changed.every((folder) => isBelow(fs, folder, dir))) return;
  for (const location of locations) removeIfThere(fs, location);
  // A power cut must not bring a removed file back into a later release.
  for (const folder of changed) syncFolder(fs, folder);
  makeReadableFolder(fs, store.spare);
  moveEntries(fs, dir, store.spare);
}

/** Whether a path is a folder below `root` or `root` itself, and no link leads out of it. */
function isBelow(fs: FileSystem, path: string, root: string): boolean {
  if (path !== root && !path.startsWith(root + sep)) return false;
  return ifFound(() => fs.realPathSync(path)) === fs.realPathSync(root) + path.slice(root.length);
}

function moveEntries(fs: FileSystem, from: string, to: string): void {
  for (const { name } of Array.from(fs.readDirSync(from))) fs.renameSync(`${from}/${name}`, `${to}/${name}`);
}

/** Removes the spare folder, if there is one. */
export async function removeSpare(store: Store): Promise<void> {
  if (findEntry(store.fs, store.spare) !== undefined) await removeTree(store.fs, store.spare);
}

/** What a folder holds of the spare folder: all wanted files but some. */
export interface SpareFiles {
  /** The wanted files that are not there. Most are there, so this takes less memory than a list of those. */
  readonly missing: ReadonlySet<string>;
  /** The folders from which something was removed. */
  readonly changed: readonly string[];
}

/**
 * Replaces an empty folder of staging by the spare folder, with only the wanted files. If that fails, the folder is empty
 * again.
 *
 * @param wanted paths relative to `dir`
 * @returns `undefined` without a spare folder
 */
export async function takeSpare(
  context: Context,
  store: Store,
  dir: string,
  wanted: Iterable<string>,
): Promise<SpareFiles | undefined> {
  const { fs, spare } = store;
  if (findEntry(fs, spare)?.isDirectory !== true) return undefined;
  try {
    fs.removeSync(dir);
    fs.renameSync(spare, dir);
    const files = new WantedFiles(fs, wanted);
    files.collect(dir, "");
    return { missing: new Set(files.missing), changed: files.changed.map((folder) => join(dir, folder)) };
  } catch (error) {
    context.log.debug(`the folder of a removed release cannot be used again: ${messageOf(error)}`);
    await removeTree(fs, dir);
    makeReadableFolder(fs, dir);
    return undefined;
  }
}

/** Finds the wanted files of a folder, and removes everything else: other files, links, pipes and empty folders. */
class WantedFiles {
  /** The wanted files that were not found. */
  readonly missing: Set<string>;
  /** Relative to the folder. */
  readonly changed: string[] = [];
  readonly #fs: FileSystem;

  constructor(fs: FileSystem, wanted: Iterable<string>) {
    this.#fs = fs;
    this.missing = new Set(wanted);
  }

  /** @returns whether there was a wanted file */
  collect(folder: string, prefix: string): boolean {
    const entries = Array.from(this.#fs.readDirSync(folder));
    const kept = entries.filter((entry) => this.#collectEntry(entry, folder, prefix));
    if (kept.length === 0) return false;
    if (kept.length < entries.length) this.changed.push(prefix.slice(0, -1));
    setMode(this.#fs, folder, READABLE_FOLDER_MODE);
    return true;
  }

  #collectEntry({ name, isFile, isDirectory }: Deno.DirEntry, folder: string, prefix: string): boolean {
    const [location, path] = [`${folder}/${name}`, prefix + name];
    const isKept = isDirectory ? this.collect(location, `${path}/`) : isFile && this.missing.delete(path);
    if (!isKept) this.#fs.removeSync(location);
    return isKept;
  }
}
