import { sep } from "node:path";
import { changedFile } from "../core/changed_file.ts";
import { type FileSystem, findEntry } from "../core/files.ts";
import type { Sha256 } from "../core/hash.ts";
import { compareUtf8, portablePathProblem, sortUtf8 } from "../core/portable_path.ts";
import { quote } from "../core/quote.ts";
import { sha256At } from "../core/sha256_column.ts";
import { isClutter } from "./clutter.ts";
import { type Digest, fileListProblem } from "./manifest.ts";
import { type FolderStat, folderStatOf, type FoundFile, statOf, unfit } from "./scan_folder.ts";

/** The content of a folder when it was last read. */
export interface RememberedFolder {
  readonly digest: Digest;
  readonly files: number;
  readonly bytes: number;
}

/** The files of a folder when it was last read: row `i` of each list belongs to `paths[i]`. In manifest order. */
export interface RememberedFiles {
  readonly paths: readonly string[];
  readonly sizes: Float64Array;
  /** 64 hexadecimal digits a file, one after the other. */
  readonly sha256s: string;
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

/** A file that did not change since the folder was last read. */
export interface KnownFile {
  readonly path: string;
  readonly location: string;
  readonly size: number;
  readonly sha256: Sha256;
  /** Its place in the list of the remembered files. */
  readonly row: number;
}

/** A file that may have changed, or is new. */
export interface SeenFile extends FoundFile {
  /** Its digest when the folder was last read. */
  readonly before: Sha256 | undefined;
}

/** The content of a folder, of which most is known. */
export interface RescannedFiles {
  readonly root: string;
  readonly base: FolderChanges;
  /** In manifest order, without housekeeping files. */
  readonly files: readonly (KnownFile | SeenFile)[];
  /** The remembered files that are gone. */
  readonly removed: readonly string[];
  /** Housekeeping files in the folders that were read. */
  readonly clutter: readonly string[];
  readonly folders: ReadonlyMap<string, FolderStat>;
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
  const { paths, sizes, sha256s } = remembered;
  const files: (KnownFile | SeenFile)[] = [];
  const removed: string[] = [];
  for (const [row, path] of paths.entries()) {
    const listed = listing.files.size === 0 ? undefined : listing.files.get(folderOf(path));
    // The rest of a listing is new.
    if (listed !== undefined && !listed.delete(path)) {
      removed.push(path);
      continue;
    }
    const location = locationOf(root, path);
    const sha256 = sha256At(sha256s, row);
    if (!base.files.has(path)) {
      files.push({ path, location, size: sizes[row] ?? 0, sha256, row });
      continue;
    }
    const info = findEntry(fs, location);
    if (info === undefined && listed !== undefined) throw changedFile(path);
    if (info === undefined) {
      removed.push(path);
      continue;
    }
    if (!info.isFile) return undefined;
    files.push({ path, location, info: statOf(info), before: sha256 });
  }
  const added = [...listing.files.values()].flatMap((names) => [...names]);
  for (const path of added) {
    const location = locationOf(root, path);
    const info = findEntry(fs, location);
    if (info?.isFile !== true) return undefined;
    files.push({ path, location, info: statOf(info), before: undefined });
  }
  if (added.length > 0) {
    files.sort((a, b) => compareUtf8(a.path, b.path));
    const problem = fileListProblem(files.map(({ path }) => path));
    if (problem !== undefined) throw unfit(root, problem);
  }
  return { root, base, files, removed, clutter: sortUtf8(listing.clutter), folders: listing.folders };
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

function locationOf(root: string, path: string): string {
  return path === "" ? root : `${root}${sep}${sep === "/" ? path : path.replaceAll("/", sep)}`;
}
