import { join } from "node:path";
import type { Context } from "../core/context.ts";
import { messageOf } from "../core/errors.ts";
import { findEntry, ifFound } from "../core/files.ts";
import { bloblessFetch } from "./blobless_fetch.ts";
import type { Git } from "./git.ts";

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
