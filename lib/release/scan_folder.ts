import { quote } from "../core/quote.ts";
import { sep } from "node:path";
import { isGone } from "../core/changed_file.ts";
import { RefusedError } from "../core/errors.ts";
import type { FileSystem } from "../core/files.ts";
import { fileListProblem } from "./manifest.ts";
import { compareUtf8, portablePathProblem, sortUtf8 } from "../core/portable_path.ts";
import { isClutter } from "./clutter.ts";

/** A regular file in a folder. */
export interface FoundFile {
  /** Relative to the folder, separated by `/`. */
  readonly path: string;
  /** The path of its bytes: in the folder, or the target of a link within the folder. */
  readonly location: string;
  readonly info: FileStat;
}

/** When an entry of a folder last changed. */
export interface EntryTimes {
  readonly mtimeMs: number;
  readonly ctimeMs: number;
}

export function timesOf(info: EntryTimes | Pick<Deno.FileInfo, "mtime" | "ctime">): EntryTimes {
  if ("mtimeMs" in info) return { mtimeMs: info.mtimeMs, ctimeMs: info.ctimeMs };
  return { mtimeMs: info.mtime?.getTime() ?? 0, ctimeMs: info.ctime?.getTime() ?? 0 };
}

/**
 * What shows a change of a file. Of 50,000 files, all that Deno returns would need 100 MB, and its dates alone 10 MB.
 */
export type FileStat =
  & EntryTimes
  & Pick<Deno.FileInfo, "size" | "dev" | "ino" | "mode" | "uid" | "gid">;

/** What shows that names in a folder changed, or that another folder took its place. */
export interface FolderStat extends EntryTimes {
  readonly inode: number;
}

export function folderStatOf(info: Deno.FileInfo): FolderStat {
  return { ...timesOf(info), inode: info.ino ?? 0 };
}

/** `follow` symbolic links that stay in the folder, or `refuse` them all. */
export type LinkPolicy = "follow" | "refuse";

/** The content of a folder. */
export interface FoundFiles {
  /** The folder itself, links resolved. */
  readonly root: string;
  /** In manifest order, without housekeeping files. */
  readonly files: readonly FoundFile[];
  /** Housekeeping files, and folders of them, which end with `/`. */
  readonly clutter: readonly string[];
  /** The folders, the root as `""`. */
  readonly folders: ReadonlyMap<string, FolderStat>;
  /** Whether a link was followed: changes of its target do not show in the folders. */
  readonly followedLinks: boolean;
}

/**
 * Lists the files of a model folder. Refuses names, links and file types that a release cannot hold, before any file is
 * read.
 *
 * @param whenGone returns the error for an entry that disappeared after its folder was listed. Default: the system's
 * @throws {RefusedError} code `FOLDER_UNFIT`; `NotFound` if there is no such folder
 */
export function scanFolder(
  fs: FileSystem,
  root: string,
  links: LinkPolicy,
  whenGone?: (path: string) => Error,
): FoundFiles {
  const realRoot = fs.realPathSync(root);
  const files: FoundFile[] = [];
  const clutter: string[] = [];
  const folders = new Map([["", folderStatOf(fs.lstatSync(realRoot))]]);
  let followedLinks = false;

  const look = <Seen>(path: string, at: () => Seen): Seen => {
    try {
      return at();
    } catch (error) {
      throw whenGone !== undefined && path !== "" && isGone(error) ? whenGone(path) : error;
    }
  };
  const visit = (folder: string, prefix: string, ancestors: readonly string[]) => {
    for (const entry of look(prefix.slice(0, -1), () => fs.readDirSync(folder))) {
      const path = prefix + entry.name;
      if (isClutter(path)) {
        clutter.push(entry.isDirectory ? `${path}/` : path);
        continue;
      }
      // Checked before entering a folder, because this also limits the depth.
      const problem = portablePathProblem(path);
      if (problem !== undefined) throw unfit(root, `the path ${quote(path)} ${problem}`);
      const entryPath = `${folder}${sep}${entry.name}`;
      followedLinks ||= entry.isSymlink;
      const location = entry.isSymlink ? followLink(fs, realRoot, entryPath, path, links, root) : entryPath;
      const info = look(path, () => fs.lstatSync(location));
      if (info.isFile) files.push({ path, location, info: statOf(info) });
      else if (!info.isDirectory) throw unfit(root, `${path} is neither a file nor a folder`);
      else if (ancestors.includes(location)) {
        throw unfit(root, `the link ${path} leads back to a folder that holds it`);
      } else {
        folders.set(path, folderStatOf(info));
        visit(location, `${path}/`, [...ancestors, location]);
      }
    }
  };
  visit(realRoot, "", [realRoot]);

  files.sort((a, b) => compareUtf8(a.path, b.path));
  const problem = fileListProblem(files.map((file) => file.path));
  if (problem !== undefined) throw unfit(root, problem);
  return { root: realRoot, files, clutter: sortUtf8(clutter), folders, followedLinks };
}

/** Returns what shows a change of a file. */
export function statOf(info: Deno.FileInfo): FileStat {
  const { size, dev, ino, mode, uid, gid } = info;
  return { ...timesOf(info), size, dev, ino, mode, uid, gid };
}

function followLink(
  fs: FileSystem,
  realRoot: string,
  link: string,
  path: string,
  links: LinkPolicy,
  root: string,
): string {
  if (links === "refuse") throw unfit(root, `${path} is a symbolic link`);
  const target = realPathOf(fs, link);
  if (target === undefined) throw unfit(root, `the link ${path} leads nowhere`);
  if (target !== realRoot && !target.startsWith(realRoot + sep)) {
    throw unfit(root, `the link ${path} leaves the folder, to ${target}`);
  }
  return target;
}

/** Returns where a link leads; `undefined` if that is nowhere, also for a circle of links. */
function realPathOf(fs: FileSystem, link: string): string | undefined {
  try {
    return fs.realPathSync(link);
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

/** Returns the error for a folder that cannot be a release. */
export function unfit(root: string, problem: string): RefusedError {
  return new RefusedError(`Cannot make a release of ${root}: ${problem}`, {
    code: "FOLDER_UNFIT",
    hint: "rename, remove or replace it and run again",
  });
}
