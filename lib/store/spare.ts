import { join } from "node:path";
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
import type { ReleaseChanges } from "../release/changes.ts";
import type { Listed } from "../release/file_list.ts";
import type { Digest } from "../release/manifest.ts";
import {
  foldersAbove,
  type FolderStamp,
  type FolderStamps,
  moveStampsToSpare,
  spareStamps,
  stampOfFolder,
} from "./folder_stamps.ts";
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
  const { paths: others, count } = StatCache.filesOfOthers(store, digest, active);
  if (others.length === count) return;
  const dir = releaseDir(store, digest);
  if (findEntry(fs, dir)?.isDirectory !== true) return;
  // It becomes the spare folder when it is on the disk. What a killed run leaves in staging is removed.
  const filled = join(store.staging, "spare");
  moveFolders(fs, dir, filled, "", foldersAbove(others));
  fs.renameSync(filled, store.spare);
  moveStampsToSpare(store, digest, active, count);
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
  /** Whether there may be a wanted file at a path. */
  mayHave(path: string): boolean;
  /** The folders from which something was removed. They are new, with the other entries of the old ones. */
  readonly changed: readonly string[];
  /** The folders that hold what they held when their release was installed. */
  readonly untouched: FolderStamps;
  /** Where {@link renewFolder} may create a folder. */
  readonly scratch: string;
}

/**
 * Replaces an empty folder of staging by the spare folder, with only the wanted files. If that fails, the folder is empty
 * again.
 *
 * @param scratch where {@link renewFolder} may create a folder
 * @param wanted with paths relative to `dir`
 * @param since how the wanted files differ from those of the active release; `undefined` if that is unknown: then each folder
 * is listed, also one that did not change
 * @returns `undefined` without a spare folder
 */
export async function takeSpare(
  context: Context,
  store: Store,
  dir: string,
  scratch: string,
  wanted: Pick<Listed<WantedFile>, "all">,
  since: ReleaseChanges | undefined,
): Promise<SpareFiles | undefined> {
  const { fs, spare } = store;
  if (findEntry(fs, spare)?.isDirectory !== true) return undefined;
  try {
    fs.removeSync(dir);
    fs.renameSync(spare, dir);
    const known = since === undefined ? new Map() : knownFolders(store, since);
    const files = new WantedFiles(fs, scratch, wanted, known);
    files.collect(dir, "");
    const { untouched } = files;
    return {
      mayHave: (path) => files.mayHaveFound(path) || untouched.has(folderOf(path)),
      changed: files.changed.map((folder) => join(dir, folder)),
      untouched,
      scratch,
    };
  } catch (error) {
    context.log.debug(`the folder of a removed release cannot be used again: ${messageOf(error)}`);
    await removeTree(fs, dir);
    makeReadableFolder(fs, dir);
    return undefined;
  }
}

/** Returns the folders of which all files are wanted, if they hold what they held when their release was installed. */
function knownFolders(store: Store, { active, removed }: ReleaseChanges): FolderStamps {
  const others = foldersAbove(removed);
  return new Map([...spareStamps(store, active.digest)].filter(([folder]) => !others.has(folder)));
}

/** A file of a release. */
interface WantedFile {
  readonly path: string;
}

/** What is left of an entry of a folder. */
type Left = "all" | "some" | "nothing";

/** Finds the wanted files of a folder, and removes everything else: other files, links, pipes and empty folders. */
class WantedFiles {
  readonly #wanted: Pick<Listed<WantedFile>, "all">;
  /** The wanted files that were not found; `undefined` as long as no listed folder had a file. */
  #missing: Set<string> | undefined;
  /** Relative to the folder. */
  readonly changed: string[] = [];
  /** The unchanged folders: all their files are wanted. */
  readonly untouched = new Map<string, FolderStamp>();
  readonly #fs: FileSystem;
  readonly #scratch: string;
  readonly #known: FolderStamps;
  /** The names of the known folders in each folder. */
  readonly #inside = new Map<string, string[]>();

  constructor(
    fs: FileSystem,
    scratch: string,
    wanted: Pick<Listed<WantedFile>, "all">,
    known: FolderStamps,
  ) {
    this.#fs = fs;
    this.#scratch = scratch;
    this.#wanted = wanted;
    this.#known = known;
    for (const folder of known.keys()) {
      if (folder === "") continue;
      const above = folderOf(folder);
      const names = this.#inside.get(above) ?? [];
      names.push(folder.slice(folder.lastIndexOf("/") + 1));
      this.#inside.set(above, names);
    }
  }

  /** Whether a wanted file may have been in a folder that was listed. */
  mayHaveFound(path: string): boolean {
    return this.#missing?.has(path) === false;
  }

  #take(path: string): boolean {
    this.#missing ??= new Set(this.#wanted.all().map(({ path }) => path));
    return this.#missing.delete(path);
  }

  collect(folder: string, prefix: string): Left {
    const path = prefix.slice(0, -1);
    const known = this.#findKnown(folder, path);
    // All files of a folder that did not change are wanted: only its folders are examined.
    const inside = new Map<string, Left>();
    for (const name of known === undefined ? [] : this.#inside.get(path) ?? []) {
      inside.set(name, this.#collectEntry({ name, isFile: false, isDirectory: true }, folder, prefix));
    }
    const lefts = [...inside.values()];
    if (known !== undefined && lefts.every((left) => left === "all")) {
      this.untouched.set(path, known);
      return "all";
    }
    for (const entry of Array.from(this.#fs.readDirSync(folder))) {
      if (!inside.has(entry.name)) lefts.push(this.#collectEntry(entry, folder, prefix));
    }
    if (lefts.every((left) => left === "nothing")) return "nothing";
    setMode(this.#fs, folder, READABLE_FOLDER_MODE);
    if (lefts.every((left) => left === "all")) return "all";
    // The spare folder itself is new.
    if (prefix !== "") renewFolder(this.#fs, folder, this.#scratch);
    this.changed.push(path);
    return "some";
  }

  /** Returns the stamp of a folder that is unchanged since its release was installed. */
  #findKnown(folder: string, path: string): FolderStamp | undefined {
    const known = this.#known.get(path);
    const present = known && stampOfFolder(findEntry(this.#fs, folder));
    return present?.inode === known?.inode && present?.mtimeMs === known?.mtimeMs ? known : undefined;
  }

  #collectEntry(
    { name, isFile, isDirectory }: Pick<Deno.DirEntry, "name" | "isFile" | "isDirectory">,
    folder: string,
    prefix: string,
  ): Left {
    const [location, path] = [`${folder}/${name}`, prefix + name];
    if (isDirectory) {
      const left = this.collect(location, `${path}/`);
      if (left !== "nothing") return left;
    } else if (isFile && this.#take(path)) return "all";
    this.#fs.removeSync(location);
    return "nothing";
  }
}

function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}
