import { sep } from "node:path";
import { changedFile } from "../core/changed_file.ts";
import { type FileSystem, findEntry } from "../core/files.ts";
import type { Sha256 } from "../core/hash.ts";
import { portablePathProblem, sortUtf8 } from "../core/portable_path.ts";
import { quote } from "../core/quote.ts";
import { isClutter } from "./clutter.ts";
import type { DigestedFile } from "./digest_lines.ts";
import { type Digest, fileListProblem } from "./manifest.ts";
import { type FolderStat, folderStatOf, type FoundFile, statOf, unfit } from "./scan_folder.ts";

/** The content of a folder when it was last read. */
export interface RememberedFolder {
  readonly digest: Digest;
  readonly files: number;
  readonly bytes: number;
  /** No file is larger. */
  readonly sizeMax: number;
}

/** Where a path is in a list, or where it would be. */
export interface RowPlace {
  readonly row: number;
  readonly isTaken: boolean;
}

/** The files of a folder when it was last read, by their rows in manifest order. */
export interface RememberedFiles {
  readonly count: number;
  pathAt(row: number): string;
  fileAt(row: number): DigestedFile;
  /** Returns the paths of all rows, which takes the time of some hundred single ones. */
  paths(): readonly string[];
  /** Returns all files, which takes the time of some hundred single ones. */
  files(): readonly DigestedFile[];
  /** Returns the rows of the paths that end like one of these texts in lower case. */
  rowsEnding(ends: readonly string[]): readonly number[];
  placeOf(path: string): RowPlace;
  /** Returns the name of a release of these files without some rows, and with other files. */
  digestWith(dropped: Iterable<number>, others: readonly DigestedFile[]): Promise<Digest>;
}

/** How a folder differs from what it was when it was last read. */
export interface FolderChanges {
  /** The folder itself, links resolved. */
  readonly root: string;
  readonly remembered: RememberedFolder;
  /** The remembered files that may have changed, or are gone. */
  readonly files: ReadonlySet<string>;
  /** The remembered folders in which names may have changed, or which are gone. The root is `""`. */
  readonly folders: ReadonlySet<string>;
  /** All remembered folders. */
  readonly folderStats: ReadonlyMap<string, FolderStat>;
  /** Returns the remembered files; `undefined` if the memory is damaged. */
  readFiles(): Promise<RememberedFiles | undefined>;
}

/** Whether a folder is as it was when it was last read. */
export function isUnchanged({ files, folders }: FolderChanges): boolean {
  return files.size === 0 && folders.size === 0;
}

/** A file that may have changed, or is new. */
export interface SeenFile extends FoundFile {
  /** Its digest when the folder was last read. */
  readonly before: Sha256 | undefined;
  /** Its place in the list of the remembered files, or where it would be. */
  readonly place: RowPlace;
}

/** Remembered files that follow each other: from a row to the one before `end`. */
export interface KeptRows {
  readonly row: number;
  readonly end: number;
}

/** The content of a folder, of which most is known. */
export interface RescannedFiles {
  readonly root: string;
  readonly base: FolderChanges;
  readonly remembered: RememberedFiles;
  /** The rows of the remembered files that changed or are gone, in their order. */
  readonly dropped: ReadonlySet<number>;
  /** The files that may have changed, in manifest order, without housekeeping files. */
  readonly seen: readonly SeenFile[];
  /** The remembered files that are gone. */
  readonly removed: readonly string[];
  /** Housekeeping files in the folders that were read. */
  readonly clutter: readonly string[];
  readonly folders: ReadonlyMap<string, FolderStat>;
}

/** Returns the number of files in a folder. */
export function countFiles({ remembered, dropped, seen }: RescannedFiles): number {
  return remembered.count - dropped.size + seen.length;
}

type MergedFiles = Pick<RescannedFiles, "remembered" | "dropped" | "seen">;

/** Yields the remembered files that are still there, and for each file that was seen its number, in manifest order. */
export function* mergeRows({ remembered, dropped, seen }: MergedFiles): Generator<KeptRows | number> {
  const stops = new Set([...dropped, ...seen.map(({ place }) => place.row), remembered.count]);
  let [row, next] = [0, 0];
  for (const stop of [...stops].sort((a, b) => a - b)) {
    if (row < stop) yield { row, end: stop };
    while (seen[next]?.place.row === stop) yield next++;
    row = dropped.has(stop) ? stop + 1 : stop;
  }
}

/**
 * Returns the list of all files.
 *
 * @param remembered of all rows
 * @param seen of all files that were seen
 */
export function mergeFiles<File>(
  found: MergedFiles,
  remembered: readonly File[],
  seen: readonly File[],
): File[] {
  const files: File[] = [];
  for (const part of mergeRows(found)) {
    const own = typeof part === "number" ? seen.slice(part, part + 1) : remembered.slice(part.row, part.end);
    for (const file of own) files.push(file);
  }
  return files;
}

/**
 * Lists the files of a model folder as `scanFolder` does, but examines only what changed since it was last read.
 *
 * @returns `undefined` if the memory is damaged, or the folder has links or other special files now
 * @throws {RefusedError} code `FOLDER_UNFIT`
 */
export async function rescanFolder(fs: FileSystem, base: FolderChanges): Promise<RescannedFiles | undefined> {
  const remembered = await base.readFiles();
  const listing = listFolders(fs, base);
  if (remembered === undefined || listing === undefined) return undefined;
  const { root } = base;
  const dropped = new Set<number>();
  const removed: string[] = [];
  const seen: SeenFile[] = [];
  for (const path of candidatesOf(base, remembered, listing)) {
    const place = remembered.placeOf(path);
    const listed = listing.files.get(folderOf(path));
    const info = listed?.has(path) === false ? undefined : findEntry(fs, locationOf(root, path));
    if (place.isTaken) dropped.add(place.row);
    if (info === undefined && place.isTaken) {
      if (listed?.has(path) === true) throw changedFile(path);
      removed.push(path);
      continue;
    }
    if (info?.isFile !== true) return undefined;
    const before = place.isTaken ? remembered.fileAt(place.row).sha256 : undefined;
    seen.push({ path, location: locationOf(root, path), info: statOf(info), before, place });
  }
  if (seen.some(({ before }) => before === undefined)) {
    const paths = mergeFiles({ remembered, dropped, seen }, remembered.paths(), seen.map(({ path }) => path));
    const problem = fileListProblem(paths);
    if (problem !== undefined) throw unfit(root, problem);
  }
  const { folders } = listing;
  return { root, base, remembered, dropped, seen, removed, clutter: sortUtf8(listing.clutter), folders };
}

/**
 * Returns the paths that may have changed: those of the memory, the new ones in folders that changed, and the remembered ones
 * there that are gone.
 */
function candidatesOf(
  { files, folders }: FolderChanges,
  remembered: RememberedFiles,
  listing: Listing,
): string[] {
  const candidates = new Set(files);
  for (const [folder, names] of listing.files) {
    for (const path of names) if (!remembered.placeOf(path).isTaken) candidates.add(path);
    if (!folders.has(folder)) continue;
    const begin = folder === "" ? "" : `${folder}/`;
    for (let { row } = remembered.placeOf(begin); row < remembered.count; row++) {
      const path = remembered.pathAt(row);
      if (!path.startsWith(begin)) break;
      if (folderOf(path) === folder && !names.has(path)) candidates.add(path);
    }
  }
  return sortUtf8([...candidates]);
}

/** What is in the folders that changed, and in new folders below them. */
interface Listing {
  /** The paths of the files by their folder. A folder that is gone has none. */
  readonly files: Map<string, Set<string>>;
  readonly clutter: string[];
  /** All folders, also those that did not change. */
  readonly folders: ReadonlyMap<string, FolderStat>;
}

/** @returns `undefined` if an entry is neither a file nor a folder */
function listFolders(
  fs: FileSystem,
  { root, folders: changed, folderStats }: FolderChanges,
): Listing | undefined {
  const files = new Map<string, Set<string>>();
  const clutter: string[] = [];
  const folders = new Map(folderStats);
  const queue = [...changed];
  for (let folder = queue.pop(); folder !== undefined; folder = queue.pop()) {
    const names = new Set<string>();
    files.set(folder, names);
    const info = findEntry(fs, locationOf(root, folder));
    if (info?.isDirectory !== true) {
      if (info !== undefined && !info.isFile) return undefined;
      folders.delete(folder);
      continue;
    }
    folders.set(folder, folderStatOf(info));
    for (const { name, isFile, isDirectory } of fs.readDirSync(locationOf(root, folder))) {
      const path = folder === "" ? name : `${folder}/${name}`;
      if (isClutter(path)) {
        clutter.push(isDirectory ? `${path}/` : path);
        continue;
      }
      const problem = portablePathProblem(path);
      if (problem !== undefined) throw unfit(root, `the path ${quote(path)} ${problem}`);
      if (isFile) names.add(path);
      else if (!isDirectory) return undefined;
      else if (!folderStats.has(path)) queue.push(path);
    }
  }
  return { files, clutter, folders };
}

function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

/** Returns the path of a file on this machine. */
export function locationOf(root: string, path: string): string {
  return path === "" ? root : `${root}${sep}${sep === "/" ? path : path.replaceAll("/", sep)}`;
}
