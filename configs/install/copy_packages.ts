import { basename, dirname, join, relative, sep } from "node:path";
import { findEntry, removeTree } from "../../lib/core/files.ts";
import { linkOrCopy } from "./link_or_copy.ts";
import { isLoaded } from "./loaded_files.ts";
import type { UserPackage } from "./user_packages.ts";

/** A package has at most some thousand files; a deeper or larger tree is not one. */
const FILES_MAX = 100_000;

/**
 * Copies packages from Deno's cache of this user into the cache of the installation, so that they are not downloaded a
 * second time; without the files that nothing loads. Packages that are there already are left alone. A killed copy
 * leaves a folder that the next one replaces.
 *
 * @param npmCache the folder of packages in the cache of this user
 * @param cache the cache of the installation
 */
export async function copyPackages(
  packages: readonly UserPackage[],
  npmCache: string,
  cache: string,
): Promise<void> {
  for (const { name, localPath } of packages) {
    if (localPath === undefined || findEntry(Deno, localPath) === undefined) continue;
    const path = relative(npmCache, localPath);
    if (path.startsWith("..")) continue;
    const target = join(cache, "npm", path);
    if (findEntry(Deno, target) !== undefined) continue;
    const scratch = join(dirname(target), `.new-${basename(target)}`);
    await removeTree(Deno, scratch);
    copyTree(name, localPath, scratch);
    Deno.renameSync(scratch, target);
  }
}

/** Deno reads the `package.json` of each package, also of one whose code is not loaded. */
function isKept(name: string): boolean {
  return name.endsWith("/package.json") || isLoaded(name);
}

/** Removes the files that nothing loads from packages in the cache of the installation. Other packages stay whole. */
export function removeNeedless(packages: readonly UserPackage[], cache: string): void {
  for (const { name, localPath } of packages) {
    const isOwn = localPath !== undefined && !relative(cache, localPath).startsWith("..");
    if (isOwn) removeNeedlessIn(localPath, name);
  }
}

/** @param name the folder within the packages, such as `hono/dist` */
function removeNeedlessIn(folder: string, name: string): void {
  for (const entry of Deno.readDirSync(folder)) {
    const [path, entryName] = [join(folder, entry.name), `${name}/${entry.name}`];
    if (entry.isDirectory) removeNeedlessIn(path, entryName);
    else if (!isKept(entryName)) Deno.removeSync(path);
  }
}

/** Copies the regular files of a folder, readable by all users. Links are left out: npm's packages have none. */
function copyTree(name: string, from: string, to: string): void {
  let files = 0;
  const visit = (folder: string) => {
    Deno.mkdirSync(join(to, folder), { recursive: true });
    for (const { name: entry, isDirectory, isFile } of Deno.readDirSync(join(from, folder))) {
      const path = join(folder, entry);
      if (isDirectory) visit(path);
      if (!isFile || !isKept(`${name}/${path.split(sep).join("/")}`)) continue;
      if (++files > FILES_MAX) throw new RangeError(`${from} has more than ${FILES_MAX} files`);
      linkOrCopy(join(from, path), join(to, path), 0o644);
    }
  };
  visit("");
}
