import { join } from "node:path";
import type { Context } from "../core/context.ts";
import { diskError } from "../core/errors.ts";
import { makeWay, syncFolders } from "../core/files.ts";
import { checkFile } from "../store/release_files.ts";
import { hasReleaseDir, installRelease, keepManifest, releaseDir, writeManifest } from "../store/releases.ts";
import type { Staging } from "../store/staging.ts";
import { StatCache } from "../store/stat_cache.ts";
import type { Store } from "../store/store.ts";
import type { VerifiedRelease } from "./checked_release.ts";

/**
 * Installs a verified release in the store; consumers do not see it yet. If the store holds it already, only its damaged
 * files are replaced, each by one rename: a consumer may be reading them.
 *
 * @returns the number of files that were repaired in an installed release
 */
export async function install(
  context: Context,
  store: Store,
  staging: Staging,
  release: VerifiedRelease,
): Promise<number> {
  try {
    await staging.sync();
    if (hasReleaseDir(store, release.digest)) return await repair(context, store, staging, release);
    installRelease(store, staging.dir, release.digest, release.text, release.signature);
    keepManifest(store, release);
    staging.remember(release.manifest);
    return 0;
  } catch (error) {
    throw diskError(error, `put release ${release.digest} into the store`);
  }
}

async function repair(
  context: Context,
  store: Store,
  staging: Staging,
  release: VerifiedRelease,
): Promise<number> {
  const dir = releaseDir(store, release.digest);
  const cache = StatCache.ofRelease(store, release.digest);
  let count = 0;
  for (const file of release.manifest.files) {
    const problem = await checkFile(context, { dir, cache }, file, "stat");
    if (problem === undefined) continue;
    context.log.info(`repairing ${file.path} of the release in the store: it ${problem}`);
    const target = join(dir, file.path);
    makeWay(store.fs, dir, target);
    store.fs.renameSync(join(staging.dir, file.path), target);
    const staged = staging.find(file.path);
    if (staged !== undefined) cache.rememberOwn(file.path, staged.stamp, staged.sha256);
    count++;
  }
  if (count > 0) syncFolders(store.fs, dir);
  writeManifest(store, release.digest, release.text, release.signature);
  cache.save();
  return count;
}
