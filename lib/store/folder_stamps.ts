import { join, posix } from "node:path";
import * as z from "zod";
import type { Clock } from "../core/clock.ts";
import { ifDiskTakes } from "../core/errors.ts";
import { findEntry, READABLE_FOLDER_MODE } from "../core/files.ts";
import { StateFile } from "../core/state_file.ts";
import { Digest } from "../release/manifest.ts";
import { releaseDir, releaseDirName } from "./releases.ts";
import { isSettled } from "./stat_cache.ts";
import type { Store } from "./store.ts";

/** What shows that names in a folder changed, or that another folder took its place. */
export interface FolderStamp {
  readonly mtimeMs: number;
  readonly inode: number;
}

/** The folders of a release that hold what it says and nothing else, by their paths; the first is `""`. */
export type FolderStamps = ReadonlyMap<string, FolderStamp>;

const Stored = z.object({
  /** The release whose files they hold. */
  release: Digest,
  /** How many files the folders hold. */
  files: z.number(),
  folders: z.array(z.tuple([z.string(), z.number(), z.number()])),
});

/** Where the stamps of the spare folder's folders are. */
const OF_SPARE = "spare";

function fileOf({ fs, statCache }: Store, name: string): StateFile<z.infer<typeof Stored>> {
  return new StateFile(fs, join(statCache, `${name}.folders.json`), Stored, {
    isUnsynced: true,
    hasChecksum: true,
  });
}

/** Returns the stamp of a folder that consumers may enter; `undefined` for anything else. */
export function stampOfFolder(info: Deno.FileInfo | undefined): FolderStamp | undefined {
  const isFolder = info?.isDirectory === true && ((info.mode ?? 0) & 0o777) === READABLE_FOLDER_MODE;
  return isFolder ? { mtimeMs: info.mtime?.getTime() ?? 0, inode: info.ino ?? 0 } : undefined;
}

/**
 * Remembers the folders of a release that was just installed. Ignores a failure of the disk: the next pull that uses them
 * again only takes longer.
 *
 * @param paths of its files
 * @param kept what is known of folders that were not changed
 */
export function rememberFolders(
  store: Store,
  digest: Digest,
  paths: readonly string[],
  kept: FolderStamps,
  clock: Clock,
): void {
  const folders = Array.from(foldersAbove(paths), (folder) => {
    const { mtimeMs, inode } = kept.get(folder) ?? findStamp(store, digest, folder, clock) ?? NEVER;
    return [folder, mtimeMs, inode] satisfies [string, number, number];
  });
  ifDiskTakes(() =>
    fileOf(store, releaseDirName(digest)).replace({ release: digest, files: paths.length, folders })
  );
}

/** Matches no folder: names in it may change within the resolution of its time. */
const NEVER: FolderStamp = { mtimeMs: 0, inode: 0 };

function findStamp(store: Store, digest: Digest, folder: string, clock: Clock): FolderStamp | undefined {
  const info = findEntry(store.fs, join(releaseDir(store, digest), folder));
  return info !== undefined && isSettled(info, clock) ? stampOfFolder(info) : undefined;
}

/** Returns the folders in which files are, and those above them; `""` for the first. */
export function foldersAbove(paths: Iterable<string>): ReadonlySet<string> {
  const folders = new Set([""]);
  let last = "";
  for (const path of paths) {
    let folder = path.slice(0, Math.max(0, path.lastIndexOf("/")));
    // Most files are in the folder of the file before.
    if (folder === last) continue;
    last = folder;
    for (; !folders.has(folder); folder = folder.includes("/") ? posix.dirname(folder) : "") {
      folders.add(folder);
    }
  }
  return folders;
}

/**
 * Makes the stamps of a removed release those of the spare folder, into which its folders were moved.
 *
 * @param active the release that has all files of these folders, too
 * @param files how many files of the removed release were compared with it. With fewer than all, a folder may hold others:
 * then the stamps are removed
 */
export function moveStampsToSpare(store: Store, digest: Digest, active: Digest, files: number): void {
  const read = fileOf(store, releaseDirName(digest)).read();
  if (read.kind !== "found" || read.value.files !== files) return fileOf(store, OF_SPARE).remove();
  ifDiskTakes(() => fileOf(store, OF_SPARE).replace({ ...read.value, release: active }));
}

/** Returns the stamps of the spare folder's folders; none if they are unknown, or of which a release lacks files. */
export function spareStamps(store: Store, release: Digest): FolderStamps {
  const read = fileOf(store, OF_SPARE).read();
  if (read.kind !== "found" || read.value.release !== release) return new Map();
  return new Map(read.value.folders.map(([folder, mtimeMs, inode]) => [folder, { mtimeMs, inode }]));
}

/** Removes the stamps of a removed release. */
export function removeFolderStamps(store: Store, digest: Digest): void {
  fileOf(store, releaseDirName(digest)).remove();
}
