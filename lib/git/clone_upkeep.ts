import { join } from "node:path";
import type { Context } from "../core/context.ts";
import { messageOf } from "../core/errors.ts";
import { findEntry, ifFound, removeIfThere } from "../core/files.ts";
import type { Git } from "./git.ts";
import { bloblessFetch } from "./git_options.ts";

/**
 * A git process that outlives its run keeps writing, and ends after ten minutes without bytes (`http.lowSpeedTime`). A
 * file that is older than this is abandoned.
 */
const ABANDONED_AFTER_MS = 60 * 60 * 1000;

/** Names of objects, packs and indexes that git is still writing. */
const TEMPORARY_NAME = /^tmp_(?:obj|pack|idx|rev|bitmap|mtimes)_/;
const FAN_OUT_NAME = /^[0-9a-f]{2}$/;

/** A download of a killed git-lfs. After a failed download, git-lfs resumes the file that ends in `.part`. */
const HALF_DOWNLOAD = /^[0-9a-f]{64}[^.]+$/;

/**
 * Removes temporary files of killed git and git-lfs processes from a clone. Git removes its own only in a `gc`, which
 * rarely runs here. Called under the clone's lock before objects are added, which is also how often such files can
 * appear.
 */
export function sweepTemporaryObjects(context: Context, objectsDir: string): void {
  const { fs } = context;
  const names = ifFound(() => Array.from(fs.readDirSync(objectsDir), ({ name }) => name)) ?? [];
  for (const folder of ["", "pack", ...names.filter((name) => FAN_OUT_NAME.test(name))]) {
    sweepFolder(context, join(objectsDir, folder), TEMPORARY_NAME);
  }
  sweepFolder(context, join(objectsDir, "..", "lfs", "incomplete"), HALF_DOWNLOAD);
}

function sweepFolder({ fs, clock }: Context, folder: string, temporary: RegExp): void {
  for (const { name } of ifFound(() => Array.from(fs.readDirSync(folder))) ?? []) {
    if (!temporary.test(name)) continue;
    const path = join(folder, name);
    if (isOlder(findEntry(fs, path), clock.now())) removeIfThere(fs, path);
  }
}

function isOlder(entry: Deno.FileInfo | undefined, now: Date): boolean {
  const writtenMs = entry?.isFile === true ? entry.mtime?.getTime() : undefined;
  return writtenMs !== undefined && now.getTime() - writtenMs > ABANDONED_AFTER_MS;
}

/**
 * The numbers of packs and loose objects from which `git gc --auto` packs (git-config(1), gc.autoPackLimit and
 * gc.auto).
 */
const PACKS_MAX = 50;
const LOOSE_MAX = 6_700;

/** A larger pack contains large models: rewriting it costs time and disk space, and saves nothing. */
const LARGE_PACK_BYTES = 64 * 1024 * 1024;

/** Loose objects are spread evenly over 256 folders. Git, too, counts those in this one. */
const SAMPLE = "17";

/** A clone of our own to pack. */
export interface RepackedClone {
  readonly git: Git;
  readonly objectsDir: string;
  readonly remote: string;
  readonly isBlobless: boolean;
}

/**
 * Packs a clone of our own if it has many small packs or loose objects: each publish and pull adds some, and nothing
 * else removes them. A failure is only a warning: the run has done its work.
 *
 * @returns whether git was asked to pack it
 */
export async function repackNowAndThen(context: Context, clone: RepackedClone): Promise<boolean> {
  const { git, objectsDir, remote, isBlobless } = clone;
  if (!isFull(context, objectsDir)) return false;
  context.log.info(`packing the clone ${git.repoDir}`);
  const config = [`gc.bigPackThreshold=${LARGE_PACK_BYTES}`];
  // In a blobless clone, git can walk trees only if it knows that blobs are missing.
  const packing = (isBlobless ? git.with(bloblessFetch(remote)) : git).with({ config });
  try {
    await packing.bytes(["gc", "--quiet", "--prune=now"], {
      action: `pack the clone ${git.repoDir}`,
      transfer: true,
    });
  } catch (error) {
    context.log.warn(messageOf(error));
  }
  return true;
}

function isFull({ fs }: Context, objectsDir: string): boolean {
  const sample = ifFound(() => [...fs.readDirSync(join(objectsDir, SAMPLE))]) ?? [];
  if (sample.length * 256 > LOOSE_MAX) return true;
  const pack = join(objectsDir, "pack");
  const small = (ifFound(() => [...fs.readDirSync(pack)]) ?? []).filter(({ name }) =>
    name.endsWith(".pack") && (findEntry(fs, join(pack, name))?.size ?? Infinity) < LARGE_PACK_BYTES
  );
  return small.length > PACKS_MAX;
}
