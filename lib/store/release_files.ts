import { diskError } from "../core/errors.ts";
import { findEntry } from "../core/files.ts";
import { hashFile, type Sha256 } from "../core/hash.ts";
import { listFolder } from "../core/folders.ts";
import type { Context } from "../core/context.ts";
import { Turns } from "../core/turns.ts";
import { plural } from "../core/format.ts";
import type { Manifest, ReleaseFile } from "../release/manifest.ts";
import { compareUtf8 } from "../core/portable_path.ts";
import { isClutter } from "../release/clutter.ts";
import type { StatCache } from "./stat_cache.ts";

/** A difference between a folder and its manifest. */
export interface FileProblem {
  readonly path: string;
  readonly problem: string;
}

/** A folder with the cache of its digests. */
export interface CheckedFolder {
  readonly dir: string;
  readonly cache: StatCache;
}

/**
 * The depth of a check. `stat` compares sizes, times and inodes with the cache, and hashes only files that differ;
 * `content` hashes every file.
 */
export type CheckDepth = "stat" | "content";

/**
 * Compares files of a folder with their entries in a manifest, and returns the problems. Ignores other files. Adds
 * computed digests to the folder's cache, and does not save it.
 */
export async function checkFiles(
  context: Context,
  folder: CheckedFolder,
  { files }: { readonly files: readonly ReleaseFile[] },
  depth: CheckDepth,
): Promise<FileProblem[]> {
  const problems: FileProblem[] = [];
  const turns = new Turns(context);
  for (const file of files) {
    await turns.next();
    const problem = await checkFile(context, folder, file, depth);
    if (problem !== undefined) problems.push({ path: file.path, problem });
  }
  return problems;
}

/** Returns the problem of one file; `undefined` if it is as the manifest says. */
export async function checkFile(
  context: Context,
  folder: CheckedFolder,
  file: ReleaseFile,
  depth: CheckDepth,
): Promise<string | undefined> {
  // Paths of a release are normalised. For 20,000 of them, `join` takes as long as the stat of half of the files.
  const path = `${folder.dir}/${file.path}`;
  const info = findEntry(context.fs, path);
  if (info === undefined) return "is missing";
  if (!info.isFile) return "is not a file any more";
  if (info.size !== file.size) return `is ${plural(info.size, "byte")}, manifest says ${file.size}`;
  // A remembered digest that differs may itself be damaged.
  if (depth === "stat" && folder.cache.find(file.path, info) === file.sha256) return undefined;
  const sha256 = await readDigest(context, folder, file.path, path, info);
  if (sha256 === undefined) return "is missing";
  return sha256 === file.sha256 ? undefined : `has SHA-256 ${sha256}, manifest says ${file.sha256}`;
}

/** Hashes a file; `undefined` if it was removed meanwhile. */
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
 * Returns the entries of a folder that its manifest does not name: files, links, everything that is not a folder, and
 * folders that cannot be listed. Ignores housekeeping files.
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
