import { join } from "node:path";
import type { Context } from "../core/context.ts";
import { findEntry, ifFound, removeIfThere } from "../core/files.ts";

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
