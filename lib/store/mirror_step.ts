import { dirname, join } from "node:path";
import * as z from "zod";
import { findEntry, makeReadableFolder, syncFolder } from "../core/files.ts";
import { listFolder } from "../core/folders.ts";
import { isScratch } from "./mirror_scratch.ts";
import type { Store } from "./store.ts";

/**
 * One rename within the model folder. Paths are relative to it; names in the scratch folder are numbers. The disk shows
 * whether a step is done: a file from the scratch folder is no longer there, and an entry that is moved away is at its
 * new name, which nothing else has.
 */
export const MirrorStep = z.lazy(() =>
  z.object({
    from: z.string(),
    to: z.string(),
    /** A hard link to the file that the rename replaces. */
    replaced: z.string().optional(),
  })
);
export type MirrorStep = Readonly<z.infer<typeof MirrorStep>>;

/** Does the rename, unless it is done. */
export function doStep(store: Store, { from, to }: MirrorStep): void {
  const isDone = isScratch(from) ? !exists(store, from) : exists(store, to);
  if (!isDone && exists(store, from)) rename(store, from, to);
}

/** Undoes the rename, if it is done. */
export function undoStep(store: Store, { from, to, replaced }: MirrorStep): void {
  if (replaced !== undefined) {
    if (exists(store, replaced)) rename(store, replaced, to);
  } else if (isScratch(to)) {
    if (exists(store, to)) rename(store, to, from);
  } else if (!exists(store, from) && exists(store, to) && !(isScratch(from) && gotFiles(store, to))) {
    rename(store, to, from);
  }
}

/** Whether another program wrote into a folder of the release. Such a folder stays. */
function gotFiles({ fs, modelsDir }: Store, path: string): boolean {
  const holdsFiles = (folder: string): boolean =>
    listFolder(fs, folder)?.some(({ name, isDirectory }) =>
      !isDirectory || holdsFiles(join(folder, name))
    ) !==
      false;
  const location = join(modelsDir, path);
  return findEntry(fs, location)?.isDirectory === true && holdsFiles(location);
}

function exists({ fs, modelsDir }: Store, path: string): boolean {
  return findEntry(fs, join(modelsDir, path)) !== undefined;
}

function rename({ fs, modelsDir }: Store, from: string, to: string): void {
  const target = join(modelsDir, to);
  // An undo may find that a folder is gone which was empty for a moment.
  makeReadableFolder(fs, dirname(target));
  fs.renameSync(join(modelsDir, from), target);
}

/** Makes the renames durable before they can no longer be repeated. */
export function syncTouched({ fs, modelsDir }: Store, steps: readonly MirrorStep[]): void {
  const folders = new Set(
    steps.flatMap(({ from, to }) => [from, to]).map((path) => dirname(join(modelsDir, path))),
  );
  for (const folder of folders) if (findEntry(fs, folder)?.isDirectory === true) syncFolder(fs, folder);
  syncFolder(fs, modelsDir);
}

/** Removes folders that lost their last file, and their parents, up to the model folder. */
export function removeEmptied({ fs, modelsDir }: Store, steps: readonly MirrorStep[]): void {
  for (const { from, to } of steps) {
    if (!isScratch(to)) continue;
    for (let folder = dirname(join(modelsDir, from)); folder !== modelsDir; folder = dirname(folder)) {
      if (findEntry(fs, folder)?.isDirectory !== true) continue;
      if (Array.from(fs.readDirSync(folder)).length > 0) break;
      fs.removeSync(folder);
    }
  }
}
