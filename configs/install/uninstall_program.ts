import { join } from "node:path";
import { osErrorCode } from "../../lib/core/errors.ts";
import { ifFound, removeIfThere, removeTree } from "../../lib/core/files.ts";
import { listFolder } from "../../lib/core/folders.ts";
import {
  findInstallation,
  isOurLauncher,
  isOwnName,
  lockInstallation,
  type Places,
  placesIn,
} from "./installation.ts";
import type { InstallWorld } from "./install_world.ts";

/**
 * Removes what the installer wrote, the launcher first, and the folders that it created if they are empty then.
 *
 * @throws {FailedError} code `INSTALL_FOREIGN`
 */
export async function uninstall(
  { os, print }: Pick<InstallWorld, "os" | "print">,
  prefix: string,
  isDryRun: boolean,
): Promise<void> {
  const places = placesIn(prefix, os);
  const folders = findInstallation(places)?.folders ?? [];
  const paths = ownPaths(places);
  if (paths.length === 0) return print(`nothing to uninstall: model-sync is not installed in ${prefix}`);
  if (isDryRun) return paths.forEach((path) => print(`would remove ${path}`));
  await removeAll(places, paths);
  for (const folder of [...folders].sort((a, b) => b.length - a.length)) removeIfEmpty(folder);
  print(`uninstalled model-sync from ${prefix}`);
  print("  configurations, models and their stores are unchanged");
}

/** Returns what the installer wrote, the launcher first, and last the record, by which a killed uninstall goes on. */
function ownPaths({ launcher, home, record }: Places): string[] {
  const names = (listFolder(Deno, home) ?? []).map(({ name }) => name).filter(isOwnName);
  const paths = names.map((name) => join(home, name));
  return [
    ...[launcher, `${launcher}.new`].filter(isOurLauncher),
    ...paths.filter((path) => path !== record),
    ...paths.filter((path) => path === record),
  ];
}

async function removeAll(places: Places, paths: readonly string[]): Promise<void> {
  if (listFolder(Deno, places.home) === undefined) return removeIfThere(Deno, places.launcher);
  using _lock = await lockInstallation(places, "uninstall");
  for (const path of paths) await removeTree(Deno, path);
}

/** Another program's files keep a folder. */
function removeIfEmpty(folder: string): void {
  try {
    ifFound(() => Deno.removeSync(folder));
  } catch (error) {
    if (!["ENOTEMPTY", "EEXIST"].includes(osErrorCode(error) ?? "")) throw error;
  }
}
