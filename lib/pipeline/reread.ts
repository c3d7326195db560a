import type { Context } from "../core/context.ts";
import type { Digest, Manifest } from "../release/manifest.ts";
import { inspectModelFolder } from "../store/model_folder.ts";
import type { CheckedFolder, FileProblem } from "../store/release_files.ts";
import { listReleases, releaseDir } from "../store/releases.ts";
import { StatCache } from "../store/stat_cache.ts";
import type { Store } from "../store/store.ts";
import { checkAndRemember } from "./verify.ts";

/** Returns where the files that consumers open really are, and what remembers their digests. */
export function consumerFolder(store: Store, { digest }: Manifest): CheckedFolder {
  return inspectModelFolder(store).kind === "linked"
    ? storedFolder(store, digest)
    : { dir: store.modelsDir, cache: StatCache.ofModels(store) };
}

function storedFolder(store: Store, digest: Digest): CheckedFolder {
  return { dir: releaseDir(store, digest), cache: StatCache.ofRelease(store, digest) };
}

/**
 * Reads every byte of the active release, so that damage which size and times do not show is known to what comes
 * after: the pull that repairs it, and the rollback that must not go to it.
 */
export async function rereadActive(context: Context, store: Store, active: Manifest): Promise<void> {
  const { log } = context;
  log.info(`reading all ${active.files.length} files of the active release`);
  const folders = [consumerFolder(store, active), storedFolder(store, active.digest)];
  const isMirrored = folders[0]?.dir !== folders[1]?.dir;
  for (const folder of isMirrored ? folders : folders.slice(1)) {
    const problems = await checkAndRemember(context, folder, active, "content");
    for (const { path, problem } of problems) log.warn(`${path} of the active release ${problem}`);
    distrustCopies(store, active, problems);
  }
}

/**
 * Releases share files by hard links: what is damaged here, unseen by its size and times, may be there too. Their next
 * check reads it.
 */
function distrustCopies(store: Store, active: Manifest, problems: readonly FileProblem[]): void {
  const damaged = new Set(problems.map(({ path }) => path));
  const contents = new Set(active.files.filter(({ path }) => damaged.has(path)).map(({ sha256 }) => sha256));
  if (contents.size === 0) return;
  for (const { manifest } of listReleases(store)) {
    const cache = StatCache.ofRelease(store, manifest.digest);
    for (const file of manifest.files) if (contents.has(file.sha256)) cache.forget(file.path);
    cache.save();
  }
}
