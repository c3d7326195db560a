import { dirname, join } from "node:path";
import type { Context } from "../core/context.ts";
import { messageOf } from "../core/errors.ts";
import {
  type FileSystem,
  findEntry,
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
 * Removes a release, and keeps its folder as the spare folder if it has files that the active release links, too. The
 * next pull assembles its release there, and need neither link nor unlink the files that did not change. All other files
 * are removed, so the spare folder holds no content of its own.
 *
 * Nothing trusts its content: a file in it counts as unchanged if it is the same file as one of the active release.
 */
export async function retireRelease(store: Store, digest: Digest): Promise<void> {
  removeManifest(store, digest);
  if (!keepSpare(store, digest)) await removeTree(store.fs, releaseDir(store, digest));
  syncFolder(store.fs, store.releases);
}

/** Returns whether the folder became the spare folder. */
function keepSpare(store: Store, digest: Digest): boolean {
  const { fs } = store;
  const active = readPointer(store, "current");
  if (active === undefined || findEntry(fs, store.spare) !== undefined) return false;
  const own = StatCache.ofRelease(store, digest);
  const others = own.pathsOfOthers(StatCache.ofRelease(store, active));
  if (others.length === own.listed.paths.length) return false;
  const locations = others.map((path) => join(releaseDir(store, digest), path));
  for (const location of locations) removeIfThere(fs, location);
  // A power cut must not bring a removed file back into a later release.
  for (const folder of new Set(locations.map((location) => dirname(location)))) {
    if (findEntry(fs, folder)?.isDirectory === true) syncFolder(fs, folder);
  }
  fs.renameSync(releaseDir(store, digest), store.spare);
  return true;
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
 * Moves the wanted files of the spare folder into an empty folder of staging, by a rename of each of its entries. The
 * spare folder itself is not moved: a container that has it mounted sees an empty folder, and not a release in the
 * making. If the move fails, the spare folder is not used.
 *
 * @param scratch a path in staging: what a killed run leaves there is removed
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
  if (findEntry(store.fs, store.spare)?.isDirectory !== true) return undefined;
  try {
    store.fs.renameSync(store.spare, scratch);
    return moveWanted(store.fs, scratch, dir, wanted);
  } catch (error) {
    context.log.debug(`the folder of a removed release cannot be used again: ${messageOf(error)}`);
    await removeTree(store.fs, dir);
    makeReadableFolder(store.fs, dir);
    return undefined;
  }
}

function moveWanted(fs: FileSystem, scratch: string, dir: string, wanted: Iterable<string>): SpareFiles {
  const files = new WantedFiles(fs, wanted);
  files.collect(scratch, "");
  for (const { name } of Array.from(fs.readDirSync(scratch))) {
    fs.renameSync(`${scratch}/${name}`, `${dir}/${name}`);
  }
  return { missing: new Set(files.missing), changed: files.changed.map((folder) => join(dir, folder)) };
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
