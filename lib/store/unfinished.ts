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
import { type FileDigest, hashFile, type Sha256 } from "../core/hash.ts";
import type { StagedFile } from "./staged_file.ts";
import { stampOf } from "./stat_cache.ts";
import type { Store } from "./store.ts";

/** Below the partial downloads, so that it is removed with them: after a successful pull, or a week. */
function unfinishedDir(store: Store): string {
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
  for (const path of filesBelow(fs, from)) {
    const source = `${from}/${path}`;
    // A name that is not UTF-8 is listed, but not found.
    const info = findEntry(fs, source);
    if (info === undefined || (info.nlink ?? 1) > 1) continue;
    const target = `${to}/${path}`;
    makeFolder(fs, dirname(target), to);
    fs.renameSync(source, target);
  }
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
   * Moves the file at a path into staging if its bytes have this digest. It is not on the disk yet. Removes a file with
   * other bytes.
   *
   * @param place returns where the file goes; called only if it is moved
   */
  async take(path: string, sha256: Sha256, place: () => string): Promise<StagedFile | undefined> {
    if (!this.#list().delete(path)) return undefined;
    const { fs } = this.#store;
    const location = `${unfinishedDir(this.#store)}/${path}`;
    const digest = await this.#hash(location);
    if (digest?.sha256 !== sha256) {
      removeIfThere(fs, location);
      return undefined;
    }
    const target = place();
    try {
      fs.renameSync(location, target);
      setMode(fs, target, IMMUTABLE_FILE_MODE);
      return { path, ...digest, how: "written", stamp: stampOf(fs.lstatSync(target)) };
    } catch (error) {
      throw diskError(error, `move ${path} into the store`);
    }
  }

  /** Returns the digest of a file; `undefined` if it cannot be read. */
  async #hash(location: string): Promise<FileDigest | undefined> {
    try {
      return await hashFile(this.#store.fs, location, { signal: this.#context.signal });
    } catch (error) {
      if (osErrorCode(error) === undefined) throw error;
      return undefined;
    }
  }

  #list(): Set<string> {
    if (this.#paths !== undefined) return this.#paths;
    return this.#paths = new Set(listUnfinished(this.#store));
  }
}
