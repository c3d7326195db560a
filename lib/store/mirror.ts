import { join } from "node:path";
import type { Context } from "../core/context.ts";
import { RefusedError } from "../core/errors.ts";
import { findEntry, makeReadableFolder, removeTree, syncFolder, syncFolders } from "../core/files.ts";
import type { Digest, Manifest } from "../release/manifest.ts";
import { abandonMirror, MIRROR_JOURNAL, type MirrorJournal } from "./mirror_journal.ts";
import { planMirror } from "./mirror_plan.ts";
import { MirrorPreparation } from "./mirror_preparation.ts";
import { mirrorError, mirrorScratch, requireMirrorRoom, roomOf } from "./mirror_scratch.ts";
import { doStep, removeEmptied, syncTouched, undoStep } from "./mirror_step.ts";
import { findRelease } from "./releases.ts";
import { withReserve } from "./reserve.ts";
import { stampOf, StatCache } from "./stat_cache.ts";
import type { Store } from "./store.ts";

/**
 * Copies a release's new files into the scratch folder in the model folder, and writes down the renames that put them in
 * place. Until then, no file of the model folder is touched. From then on, neither finishing nor undoing needs space.
 *
 * @throws {DiskError} if the model folder cannot hold the new files beside the old ones; the copies are removed
 */
export async function prepareMirror(
  context: Context,
  store: Store,
  runId: string,
  from: Digest | undefined,
  to: Digest,
): Promise<void> {
  const { fs, modelsDir } = store;
  const target = findRelease(store, to)?.manifest;
  if (target === undefined) throw missing(to);
  const old = from === undefined ? undefined : findRelease(store, from)?.manifest;
  try {
    makeReadableFolder(fs, modelsDir);
    await removeTree(fs, mirrorScratch(store));
    const plan = await planMirror(context, store, old, target);
    await requireMirrorRoom(context, store, roomOf(plan.copies.map(({ file }) => file)));
    fs.mkdirSync(mirrorScratch(store));
    // If the old release is unknown, so are the files that belong to no release.
    const steps = await new MirrorPreparation(
      context,
      store,
      to,
      runId,
      from === undefined || old !== undefined,
    )
      .make(plan);
    syncFolders(fs, mirrorScratch(store));
    syncFolder(fs, modelsDir);
    withReserve(store, () => MIRROR_JOURNAL.replace(store, { runId, steps }));
  } catch (error) {
    await abandonMirror(store);
    throw mirrorError(error, store);
  }
}

/**
 * Puts the files of the prepared release in place. May be repeated after a crash at any point.
 *
 * @returns the files that were put in place; none if the run prepared none, or if they are in place already
 */
export async function finishMirror(store: Store, runId: string): Promise<readonly string[]> {
  const journal = readJournal(store, runId);
  if (journal === undefined) return [];
  try {
    for (const step of journal.steps) doStep(store, step);
    syncTouched(store, journal.steps);
    removeEmptied(store, journal.steps);
  } catch (error) {
    throw mirrorError(error, store);
  }
  await abandonMirror(store);
  return journal.steps.map(({ to }) => to);
}

/**
 * Moves every file back that the mirroring moved, and drops what it prepared.
 *
 * @returns whether anything was prepared
 */
export async function undoMirror(store: Store, runId: string): Promise<boolean> {
  const journal = readJournal(store, runId);
  try {
    if (journal !== undefined) {
      for (const step of journal.steps.toReversed()) undoStep(store, step);
      syncTouched(store, journal.steps);
    }
  } catch (error) {
    throw mirrorError(error, store);
  }
  await abandonMirror(store);
  return journal !== undefined;
}

/** Saves the digests of the files that were just put in place, so that the next check need not hash them. */
export function rememberMirrored(store: Store, { files }: Manifest, placed: readonly string[]): void {
  const paths = new Set(placed);
  const cache = StatCache.ofModels(store);
  for (const { path, sha256 } of files) {
    if (!paths.has(path)) continue;
    const info = findEntry(store.fs, join(store.modelsDir, path));
    if (info !== undefined) cache.rememberOwn(path, stampOf(info), sha256);
  }
  cache.save();
}

/** Returns the journal of this run. The journal of another run is obsolete. */
function readJournal(store: Store, runId: string): MirrorJournal | undefined {
  const journal = MIRROR_JOURNAL.find(store);
  return journal?.runId === runId ? journal : undefined;
}

function missing(digest: Digest): RefusedError {
  return new RefusedError(`Cannot mirror release ${digest}: the store does not hold it whole`, {
    code: "RELEASE_MISSING",
    hint: "pull again",
  });
}
