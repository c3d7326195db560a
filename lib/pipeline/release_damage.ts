import type { Context } from "../core/context.ts";
import { plural } from "../core/format.ts";
import type { ActivationMode } from "../config/choices.ts";
import { filesOf } from "../release/file_list.ts";
import type { Digest, Manifest, ReleaseFile } from "../release/manifest.ts";
import type { ReleaseIndex } from "../release/release_index.ts";
import { problemSeenByConsumers } from "../store/consumer_view.ts";
import { inspectModelFolder } from "../store/model_folder.ts";
import { type CheckDepth, type CheckedFolder, checkFiles, type FileProblem } from "../store/release_files.ts";
import { listReleases, releaseDir } from "../store/releases.ts";
import { StatCache } from "../store/stat_cache.ts";
import type { Store } from "../store/store.ts";

/**
 * Returns the first problem of the model folder, compared with the release that should be active; `undefined` without
 * one. Compares sizes, times and inodes, and hashes only files that differ in them.
 *
 * @param index knows the files of the active release, so that only those that changed are examined
 */
export async function damageSeenByConsumers(
  context: Context,
  store: Store,
  active: Manifest,
  mode: ActivationMode,
  index?: ReleaseIndex,
): Promise<string | undefined> {
  if (mode === "symlink" && inspectModelFolder(store).kind !== "linked") {
    return `${store.modelsDir} is not the link to it`;
  }
  const folder = mode === "symlink" ? storedFolder(store, active.digest) : mirroredFolder(store);
  const files = mode === "symlink" ? await unsureFiles(folder, active, index) : active.files;
  const [problem] = await checkAndRemember(context, folder, { files }, "stat");
  if (problem !== undefined) return `${problem.path} ${problem.problem}`;
  const unseen = problemSeenByConsumers(store, active);
  return unseen === undefined ? undefined : `${store.modelsDir} ${unseen}`;
}

/** Returns the files of the active release that may have changed since they were hashed: all if that is unknown. */
async function unsureFiles(
  { dir, cache }: CheckedFolder,
  active: Manifest,
  index: ReleaseIndex | undefined,
): Promise<readonly ReleaseFile[]> {
  const list = filesOf(active);
  if (index === undefined || list.count < index.filesMin) return active.files;
  const unsure = await index.findUnsure(active.digest, dir);
  if (unsure === undefined || cache.othersThan(active).length > 0) return active.files;
  return Array.from(unsure, (path) => list.find(path)).filter((file) => file !== undefined);
}

/**
 * Returns the problems of a release's files in the store. Compares sizes, times and inodes, and hashes only files that
 * differ in them.
 */
export async function checkStored(
  context: Context,
  store: Store,
  manifest: Manifest,
): Promise<FileProblem[]> {
  return await checkAndRemember(context, storedFolder(store, manifest.digest), manifest, "stat");
}

/**
 * Hashes every file of the active release and logs its problems, so that damage which sizes and times do not show is
 * known from then on: the pull repairs it, and a rollback does not activate it.
 */
export async function rereadActive(context: Context, store: Store, active: Manifest): Promise<void> {
  const { log } = context;
  log.info(`reading every byte of the active release (${plural(active.files.length, "file")})`);
  const folders = [consumerFolder(store, active), storedFolder(store, active.digest)];
  const isMirrored = folders[0]?.dir !== folders[1]?.dir;
  for (const folder of isMirrored ? folders : folders.slice(1)) {
    const problems = await checkAndRemember(context, folder, active, "content");
    for (const { path, problem } of problems) log.warn(`${path} of the active release ${problem}`);
    distrustCopies(store, active, problems);
  }
}

/** Returns the folder that consumers really open, with the cache of its digests. */
export function consumerFolder(store: Store, { digest }: Manifest): CheckedFolder {
  return inspectModelFolder(store).kind === "linked" ? storedFolder(store, digest) : mirroredFolder(store);
}

function storedFolder(store: Store, digest: Digest): CheckedFolder {
  return { dir: releaseDir(store, digest), cache: StatCache.ofRelease(store, digest) };
}

function mirroredFolder(store: Store): CheckedFolder {
  return { dir: store.modelsDir, cache: StatCache.ofModels(store) };
}

/** As `checkFiles`, and saves the digests that it computed, so that the next check need not hash the files again. */
async function checkAndRemember(
  context: Context,
  folder: CheckedFolder,
  manifest: { readonly files: readonly ReleaseFile[] },
  depth: CheckDepth,
): Promise<FileProblem[]> {
  const problems = await checkFiles(context, folder, manifest, depth);
  folder.cache.save();
  return problems;
}

/**
 * Forgets the digests of files with the same content in all releases, so that their next check hashes them. Releases
 * share files by hard links: damage that size and time hide in one release is in the others, too.
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
