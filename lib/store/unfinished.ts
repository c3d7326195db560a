import { dirname, join } from "node:path";
import type { Context } from "../core/context.ts";
import { DiskError, diskError, osErrorCode } from "../core/errors.ts";
import {
  type FileSystem,
  findEntry,
  ifFound,
  IMMUTABLE_FILE_MODE,
  removeIfThere,
  removeTree,
  setMode,
} from "../core/files.ts";
import { hashFile, loadSha256Of, type Sha256 } from "../core/hash.ts";
import { createSmallFile, SMALL_FILE_BYTES_MAX, type SmallFile } from "./small_file.ts";
import type { StagedFile } from "./staged_file.ts";
import { stampOf } from "./stat_cache.ts";
import type { Store } from "./store.ts";

/** Below the partial downloads, so that it is removed with them: after a successful pull, or a week. */
function unfinishedDir(store: Pick<Store, "partials">): string {
  return join(store.partials, "unfinished");
}

/**
 * Moves the files of a folder of staging to where the next pull finds them. Nothing trusts them: {@link UnfinishedFiles}
 * hashes each one. Links to files of installed releases stay, and so does everything that is not a file. Ignores a failure
 * of the system: it costs only another download.
 */
export function keepUnfinished(store: Store, dir: string): void {
  // Windows syncs no file that is read-only already.
  if (Deno.build.os === "windows" || findEntry(store.fs, dir)?.isDirectory !== true) return;
  try {
    moveFiles(store.fs, dir, unfinishedDir(store));
  } catch (error) {
    if (osErrorCode(error) === undefined) throw error;
  }
}

function moveFiles(fs: FileSystem, from: string, to: string): void {
  const move = (path: string) => {
    const target = `${to}/${path}`;
    makeFolder(fs, dirname(target), to);
    fs.renameSync(`${from}/${path}`, target);
  };
  const linked = new Map<number, { readonly links: number; readonly paths: string[] }>();
  for (const path of filesBelow(fs, from)) {
    // A name that is not UTF-8 is listed, but not found.
    const info = findEntry(fs, `${from}/${path}`);
    if (info === undefined) continue;
    const { nlink: links, ino: inode } = info;
    if (links === null || links <= 1 || inode === null) move(path);
    else if (linked.get(inode)?.paths.push(path) === undefined) linked.set(inode, { links, paths: [path] });
  }
  // A content at several paths of one release. Of other files, some links are in an installed release.
  for (const { links, paths } of linked.values()) if (paths.length === links) paths.forEach(move);
}

/** Creates a folder and those above it, up to `top`. Replaces what is no folder: a link would lead out of the store. */
function makeFolder(fs: FileSystem, folder: string, top: string): void {
  const entry = findEntry(fs, folder);
  if (entry?.isDirectory === true) return;
  if (folder !== top) makeFolder(fs, dirname(folder), top);
  if (entry !== undefined) fs.removeSync(folder);
  fs.mkdirSync(folder);
}

/**
 * After a failure, keeps the files of a folder of staging for the next run. If the disk was the reason, it needs the space
 * more than these and older files.
 */
export async function giveUp(store: Store, dir: string, error: unknown): Promise<void> {
  if (error instanceof DiskError) await dropUnfinished(store);
  else keepUnfinished(store, dir);
}

/** Yields the paths of the files in a folder and the folders in it, without following links. */
function* filesBelow(fs: FileSystem, dir: string, prefix = ""): Generator<string> {
  const entries = ifFound(() => Array.from(fs.readDirSync(join(dir, prefix)))) ?? [];
  for (const { name, isFile, isDirectory } of entries) {
    if (isDirectory) yield* filesBelow(fs, dir, `${prefix}${name}/`);
    else if (isFile) yield prefix + name;
  }
}

/** Returns the result of `read`; `undefined` if the system refuses. */
async function ifReadable<T>(read: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (osErrorCode(error) === undefined) throw error;
    return undefined;
  }
}

/** Returns the files that can be listed. */
function listUnfinished(store: Store): string[] {
  const dir = unfinishedDir(store);
  try {
    return findEntry(store.fs, dir)?.isDirectory === true ? [...filesBelow(store.fs, dir)] : [];
  } catch (error) {
    if (osErrorCode(error) === undefined) throw error;
    return [];
  }
}

/** Whether earlier pulls left files. */
export function hasUnfinished({ fs, partials }: Pick<Store, "fs" | "partials">): boolean {
  return findEntry(fs, unfinishedDir({ partials }))?.isDirectory === true;
}

/** Returns the bytes of a file of this size that an earlier pull left; `undefined` if there is none. */
export async function readUnfinished(
  store: Pick<Store, "fs" | "partials">,
  path: string,
  size: number,
): Promise<Uint8Array | undefined> {
  const location = `${unfinishedDir(store)}/${path}`;
  return await ifReadable(() => {
    const info = findEntry(store.fs, location);
    return info?.isFile === true && info.size === size ? store.fs.readFileSync(location) : undefined;
  });
}

/** Removes the files of earlier pulls that failed or were killed. */
export async function dropUnfinished(store: Store): Promise<void> {
  await removeTree(store.fs, unfinishedDir(store));
}

/** The files that earlier pulls staged before they failed or were killed. */
export class UnfinishedFiles {
  readonly #context: Context;
  readonly #store: Store;
  #paths: Set<string> | undefined;

  constructor(context: Context, store: Store) {
    this.#context = context;
    this.#store = store;
  }

  /**
   * Stages the file at a path if its bytes have this digest, and removes it here. It is not on the disk yet.
   *
   * @param place returns where the file goes; called only if it is staged
   */
  async take(path: string, sha256: Sha256, place: () => string): Promise<StagedFile | undefined> {
    if (!this.#list().delete(path)) return undefined;
    const { fs } = this.#store;
    const location = `${unfinishedDir(this.#store)}/${path}`;
    const isSmall = (findEntry(fs, location)?.size ?? 0) <= SMALL_FILE_BYTES_MAX;
    const file = { path, sha256 };
    const staged = isSmall
      ? await this.#copy(location, file, place)
      : await this.#move(location, file, place);
    removeIfThere(fs, location);
    return staged;
  }

  /** A program that a killed run started may still write into a small file: the release gets the bytes that are hashed. */
  async #copy(location: string, file: SmallFile, place: () => string): Promise<StagedFile | undefined> {
    const { fs } = this.#store;
    const sha256Of = await loadSha256Of();
    const content = await ifReadable(() => fs.readFileSync(location));
    if (content === undefined || sha256Of(content) !== file.sha256) return undefined;
    return createSmallFile(fs, place(), content, file);
  }

  async #move(
    location: string,
    { path, sha256 }: SmallFile,
    place: () => string,
  ): Promise<StagedFile | undefined> {
    const { fs } = this.#store;
    const { signal } = this.#context;
    const digest = await ifReadable(() => hashFile(fs, location, { signal }));
    if (digest?.sha256 !== sha256) return undefined;
    const target = place();
    try {
      fs.renameSync(location, target);
      setMode(fs, target, IMMUTABLE_FILE_MODE);
      return { path, ...digest, how: "written", stamp: stampOf(fs.lstatSync(target)) };
    } catch (error) {
      throw diskError(error, `move ${path} into the store`);
    }
  }

  #list(): Set<string> {
    if (this.#paths !== undefined) return this.#paths;
    return this.#paths = new Set(listUnfinished(this.#store));
  }
}
