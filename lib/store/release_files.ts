import { diskError } from "../core/errors.ts";
import { findEntry } from "../core/files.ts";
import { hashFile, type Sha256 } from "../core/hash.ts";
import { listFolder } from "../core/folders.ts";
import type { Context } from "../core/context.ts";
import type { Manifest, ReleaseFile } from "../release/manifest.ts";
import { compareUtf8 } from "../core/portable_path.ts";
import { isClutter } from "../release/clutter.ts";
import type { StatCache } from "./stat_cache.ts";

/** One way in which a folder is not what its manifest says. */
export interface FileProblem {
  readonly path: string;
  readonly problem: string;
}

/** Where files are and what remembers their digests. */
export interface CheckedFolder {
  readonly dir: string;
  readonly cache: StatCache;
}

/**
 * How far a check goes. `stat` compares size, time and inode with what was recorded and reads only files that differ
 * in them; `content` reads every byte.
 */
export type CheckDepth = "stat" | "content";

/**
 * Returns what is wrong with the files of a folder, compared with a manifest. Files that the manifest does not name are
 * not looked for. Digests that were read are in the folder's cache afterwards, which is not saved.
 */
export async function checkFiles(
  context: Context,
  folder: CheckedFolder,
  manifest: Manifest,
  depth: CheckDepth,
): Promise<FileProblem[]> {
  const problems: FileProblem[] = [];
  for (const file of manifest.files) {
    context.signal.throwIfAborted();
    const problem = await checkFile(context, folder, file, depth);
    if (problem !== undefined) problems.push({ path: file.path, problem });
  }
  return problems;
}

/** What is wrong with one file of a folder; `undefined` when it is what the manifest says. */
export async function checkFile(
  context: Context,
  folder: CheckedFolder,
  file: ReleaseFile,
  depth: CheckDepth,
): Promise<string | undefined> {
  // Paths of a release are normal ones; for 20,000 of them `join` takes as long as looking at half of the files.
  const path = `${folder.dir}/${file.path}`;
  const info = findEntry(context.fs, path);
  if (info === undefined) return "is missing";
  if (!info.isFile) return "is not a file any more";
  if (info.size !== file.size) return `is ${info.size} bytes, manifest says ${file.size}`;
  const known = depth === "stat" ? folder.cache.find(file.path, info) : undefined;
  const sha256 = known ?? await readDigest(context, folder, file.path, path, info);
  if (sha256 === undefined) return "is missing";
  return sha256 === file.sha256 ? undefined : `has SHA-256 ${sha256}, manifest says ${file.sha256}`;
}

/** The digest of a file; `undefined` when it was removed since it was looked at. */
async function readDigest(
  context: Context,
  folder: CheckedFolder,
  name: string,
  path: string,
  info: Deno.FileInfo,
): Promise<Sha256 | undefined> {
  try {
    const { sha256 } = await hashFile(context.fs, path, { signal: context.signal });
    folder.cache.remember(name, info, sha256, context.clock);
    return sha256;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw diskError(error, `read ${path}`);
  }
}

/**
 * Returns what is in a folder and not in its manifest: files, links, anything that is not a folder, and folders that
 * cannot be listed. Housekeeping files do not count.
 */
export function findExtraFiles({ fs }: Context, dir: string, manifest: Manifest): string[] {
  const named = new Set(manifest.files.map((file) => file.path));
  const extra: string[] = [];
  const visit = (entries: Iterable<Deno.DirEntry>, folder: string, prefix: string) => {
    for (const entry of entries) {
      const path = prefix + entry.name;
      if (isClutter(path) || named.has(path)) continue;
      const location = `${folder}/${entry.name}`;
      const inside = entry.isDirectory ? listFolder(fs, location) : undefined;
      if (inside === undefined) extra.push(path);
      else visit(inside, location, `${path}/`);
    }
  };
  const root = fs.realPathSync(dir);
  visit(fs.readDirSync(root), root, "");
  return extra.sort(compareUtf8);
}
