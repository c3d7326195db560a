import { join } from "node:path";
import type { Context } from "../core/context.ts";
import { DiskError, diskError, ModelSyncError, osErrorCode } from "../core/errors.ts";
import { findEntry, ifFound, removeTree } from "../core/files.ts";
import type { ReleaseFile } from "../release/manifest.ts";
import { inspectModelFolder } from "./model_folder.ts";
import { checkFile } from "./release_files.ts";
import { StatCache } from "./stat_cache.ts";
import type { Store } from "./store.ts";

/** New files are copied into this folder. It lies in the model folder, which is certain to be on its file system. */
export const MIRROR_SCRATCH_NAME = ".model-sync.part";

export function mirrorScratch(store: Store): string {
  return join(store.modelsDir, MIRROR_SCRATCH_NAME);
}

/** Returns whether a path, relative to the model folder, is in the scratch folder. */
export function isScratch(path: string): boolean {
  return path.startsWith(`${MIRROR_SCRATCH_NAME}/`);
}

/** The usual block size of file systems. */
const BLOCK_BYTES = 4096;

/** For folder entries, which need blocks of their own. The file system may be small. */
const MIRROR_SPARE_BYTES = 64 * 1024;

/** Returns the bytes that copies of these files need on the disk. */
export function roomOf(files: Iterable<Pick<ReleaseFile, "size">>): number {
  let bytes = 0;
  for (const { size } of files) bytes += Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES;
  return bytes;
}

/**
 * Refuses a mirroring if the file system of the model folder has no room for the new files beside the ones that they
 * replace. With that room, the mirroring can be finished or undone without another byte.
 *
 * @throws {DiskError} code `DISK`
 */
export async function requireMirrorRoom(context: Context, store: Store, bytes: number): Promise<void> {
  if (bytes === 0) return;
  const free = await context.freeBytes(store.modelsDir);
  const wanted = bytes + MIRROR_SPARE_BYTES;
  if (free === undefined || free >= wanted) return;
  throw new DiskError(
    `Cannot mirror into ${store.modelsDir}: the new files need ${wanted} bytes beside the old ones, ${free} are free`,
    { code: "DISK", hint: "free some space on the file system of the model folder and run again" },
  );
}

/**
 * Checks before the download that a release can be mirrored: the model folder is writable and has room for the changed
 * files. Files of unknown size do not count.
 *
 * @throws {DiskError} code `DISK` or `MODELS_DIR_NOT_WRITABLE`
 */
export async function checkMirrorFolder(
  context: Context,
  store: Store,
  files: readonly {
    readonly path: string;
    readonly size: number | undefined;
    readonly sha256: string | undefined;
  }[],
): Promise<void> {
  if (inspectModelFolder(store).kind !== "folder") return;
  const scratch = mirrorScratch(store);
  try {
    await removeTree(store.fs, scratch);
    store.fs.mkdirSync(scratch);
    store.fs.removeSync(scratch);
  } catch (error) {
    throw mirrorError(error, store);
  }
  const cache = StatCache.ofModels(store);
  const folder = { dir: store.modelsDir, cache };
  const wanted: { size: number }[] = [];
  for (const { path, size = 0, sha256 } of files) {
    context.signal.throwIfAborted();
    const isThere = sha256 !== undefined &&
      await checkFile(context, folder, { path, size, sha256 }, "stat") === undefined;
    if (!isThere) wanted.push({ size });
  }
  cache.save();
  await requireMirrorRoom(context, store, roomOf(wanted));
}

/** Removes the scratch folder. If that fails, a later run removes it. */
export async function sweepMirrorScratch(store: Store): Promise<void> {
  const scratch = mirrorScratch(store);
  if (ifFound(() => inspectModelFolder(store))?.kind !== "folder") return;
  if (findEntry(store.fs, scratch) === undefined) return;
  try {
    await removeTree(store.fs, scratch);
  } catch (error) {
    if (osErrorCode(error) === undefined) throw error;
    store.warn(`cannot remove ${scratch} yet (${osErrorCode(error)}): a later run removes it`);
  }
}

/** Turns a system error in the model folder into an error with a hint. */
export function mirrorError(error: unknown, store: Store): unknown {
  const code = osErrorCode(error);
  if (error instanceof ModelSyncError || code === undefined) return error;
  const action = `mirror release files into ${store.modelsDir}`;
  const known = diskError(error, action);
  if (known instanceof DiskError) return known;
  return new DiskError(`Cannot ${action}: the system refuses it (${code})`, {
    code: "MODELS_DIR_NOT_WRITABLE",
    cause: error,
    hint:
      `run as the user that owns ${store.modelsDir}, and check that its file system is mounted for writing`,
  });
}
