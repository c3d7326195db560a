import { join } from "node:path";
import type { Context } from "../core/context.ts";
import { messageOf } from "../core/errors.ts";
import { findEntry, ifFound, removeIfThere } from "../core/files.ts";
import type { Git } from "./git.ts";
import { bloblessFetch } from "./git_options.ts";

/**
 * A git that outlived its run writes on, and ends after a minute without bytes (`http.lowSpeedTime`); a
 * file that nobody wrote to for this long is nobody's.
 */
const ABANDONED_AFTER_MS = 60 * 60 * 1000;

/** How git names objects, packs and their indexes until they are whole. */
const TEMPORARY_NAME = /^tmp_(?:obj|pack|idx|rev|bitmap|mtimes)_/;
const FAN_OUT_NAME = /^[0-9a-f]{2}$/;

/** A download of a git-lfs that was killed. Of one that failed, git-lfs goes on with the rest: that ends in `.part`. */
const HALF_DOWNLOAD = /^[0-9a-f]{64}[^.]+$/;

/**
 * Removes the temporary files that killed gits and a killed git-lfs left among the objects of a clone. Git removes its
 * own only in a `gc`, which seldom runs there, and never in a clone of a user's. Called under the clone's lock, before
 * something is added: that is also how often there can be more of them.
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
    const path = join(folder, name);
    if (temporary.test(name) && isOlder(findEntry(fs, path), clock.now())) removeIfThere(fs, path);
  }
}

function isOlder(entry: Deno.FileInfo | undefined, now: Date): boolean {
  const writtenMs = entry?.isFile === true ? entry.mtime?.getTime() : undefined;
  return writtenMs !== undefined && now.getTime() - writtenMs > ABANDONED_AFTER_MS;
}

/** As many packs and loose objects as `git gc --auto` leaves alone (git-config(1), gc.autoPackLimit and gc.auto). */
const PACKS_MAX = 50;
const LOOSE_MAX = 6_700;

/** A pack beyond this holds large models: to write it again costs time and disk space, and saves nothing. */
const LARGE_PACK_BYTES = 64 * 1024 * 1024;

/** Loose objects are spread evenly over 256 folders: git counts those in this one, too. */
const SAMPLE = "17";

/** A clone of our own: its objects, and whether it lacks blobs. */
export interface RepackedClone {
  readonly git: Git;
  readonly objectsDir: string;
  readonly remote: string;
  readonly isBlobless: boolean;
}

/**
 * Packs a clone of our own where many small packs and loose objects came together: each publish and each pull adds some,
 * and nothing else removes them. A failure costs a warning: the work of the run is done.
 */
export async function repackNowAndThen(context: Context, clone: RepackedClone): Promise<void> {
  const { git, objectsDir, remote, isBlobless } = clone;
  if (!isFull(context, objectsDir)) return;
  context.log.info(`packing the clone ${git.repoDir}`);
  const config = [`gc.bigPackThreshold=${LARGE_PACK_BYTES}`];
  // Without blobs, only a git that knows that they are missing can walk its trees.
  const packing = (isBlobless ? git.with(bloblessFetch(remote)) : git).with({ config });
  try {
    await packing.bytes(["gc", "--quiet", "--prune=now"], {
      action: `pack the clone ${git.repoDir}`,
      transfer: true,
    });
  } catch (error) {
    context.log.warn(messageOf(error));
  }
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
