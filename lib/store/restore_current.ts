import { join } from "node:path";
import type { Context } from "../core/context.ts";
import { RefusedError } from "../core/errors.ts";
import { findEntry } from "../core/files.ts";
import { setAside } from "../core/set_aside.ts";
import { type Digest, type Manifest, shortDigest } from "../release/manifest.ts";
import { type Outcome, PUBLISHING_COMMANDS, readHistory } from "./history.ts";
import type { Intent } from "./intent.ts";
import { inspectModelFolder } from "./model_folder.ts";
import { POINTER_INVALID, readPointer, setPointers } from "./pointers.ts";
import { checkFiles } from "./release_files.ts";
import { findRelease, listReleaseNames, listReleases, releaseDir } from "./releases.ts";
import { StatCache } from "./stat_cache.ts";
import type { Store } from "./store.ts";

/** Records with these outcomes name another release than the active one. */
const UNRELATED: readonly Outcome[] = [
  "published",
  "proposed",
  "trained",
  "pruned",
  "quarantined",
  "lifted",
  "withdrawn",
  "reinstated",
];

/** Most of a day with a pull every minute. Most records name the active release. */
const LOOKBACK = 1000;

/**
 * Returns the release that `current` names. If it is damaged, returns the release that was active after the newest run
 * on record, if the store holds it whole.
 *
 * @throws {RefusedError} code `POINTER_INVALID` if `current` is damaged and no such release is known
 */
export function readCurrent(store: Store): Digest | undefined {
  try {
    return readPointer(store, "current");
  } catch (error) {
    const recorded = isDamage(error) ? recordedRelease(store) : undefined;
    if (recorded === undefined) throw error;
    return recorded;
  }
}

/**
 * Restores a damaged `current`. It names the release before the activation that an unfinished run announced; else the
 * release that was active after the newest run on record; else the release that a mirrored model folder shows. If none is
 * known, or the store does not hold it whole, `current` stays damaged and the commands that need it refuse. A rollback
 * chooses a release itself, so for a rollback the damaged entry is removed.
 *
 * @param intent the intent of an unfinished run
 */
export async function restoreCurrent(
  context: Context,
  store: Store,
  intent: Intent | undefined,
  isRollback: boolean,
): Promise<void> {
  const path = join(store.root, "current");
  try {
    readPointer(store, "current");
    return;
  } catch (error) {
    if (!isDamage(error)) throw error;
  }
  const digest = announcedRelease(store, intent) ?? recordedRelease(store) ??
    await shownRelease(context, store);
  if (digest !== undefined) {
    if (findEntry(store.fs, path)?.isDirectory === true) setAside(store.fs, path);
    const mode = inspectModelFolder(store).kind === "linked" ? "symlink" : "mirror";
    setPointers(store, { current: digest }, mode);
    store.warn(`${path} was damaged: it names release ${shortDigest(digest)} again, which was active before`);
    return;
  }
  // Without a release none can be active, and before the first activation none was.
  const wasNone = listReleaseNames(store).length === 0 || isFirst(intent);
  if (!isRollback && !wasNone) return;
  const kept = setAside(store.fs, path);
  store.warn(
    `${path} was damaged and is removed: no release is active${
      kept === undefined ? "" : `; its former content is kept in ${kept}`
    }`,
  );
}

function isDamage(error: unknown): boolean {
  return error instanceof RefusedError && error.code === POINTER_INVALID;
}

/** Returns the release before an unfinished activation; if there was none, the one that it activates. */
function announcedRelease(store: Store, intent: Intent | undefined): Digest | undefined {
  switch (intent?.phase) {
    case "activating":
      return [intent.from, intent.to].find((digest) => digest !== null && isWhole(store, digest)) ??
        undefined;
    case "adopting":
      return [intent.from, intent.digest].find((digest) => digest !== null && isWhole(store, digest)) ??
        undefined;
    default:
      return undefined;
  }
}

function isFirst(intent: Intent | undefined): boolean {
  return (intent?.phase === "activating" || intent?.phase === "adopting") && intent.from === null;
}

/** Returns the release that was active after the newest run on record. An older record would be a guess. */
function recordedRelease(store: Store): Digest | undefined {
  const newest = readHistory(store, LOOKBACK).find(({ release, outcome, command }) =>
    release !== undefined && !UNRELATED.includes(outcome) && !PUBLISHING_COMMANDS.includes(command)
  );
  return newest?.release !== undefined && isWhole(store, newest.release) ? newest.release : undefined;
}

/** Returns the release that a mirrored model folder shows; of several, the one with the most files. */
async function shownRelease(context: Context, store: Store): Promise<Digest | undefined> {
  if (inspectModelFolder(store).kind !== "folder") return undefined;
  const folder = { dir: store.modelsDir, cache: StatCache.ofModels(store) };
  let shown: Manifest | undefined;
  for (const { manifest } of listReleases(store)) {
    const isLarger = shown === undefined || manifest.files.length > shown.files.length;
    if (!isLarger || !isWhole(store, manifest.digest)) continue;
    if ((await checkFiles(context, folder, manifest, "stat")).length === 0) shown = manifest;
  }
  return shown?.digest;
}

/** Returns whether every file of a release is there, by name and size. */
function isWhole(store: Store, digest: Digest): boolean {
  const dir = releaseDir(store, digest);
  const files = findRelease(store, digest)?.manifest.files;
  return files?.every(({ path, size }) => {
    const found = findEntry(store.fs, join(dir, path));
    return found?.isFile === true && found.size === size;
  }) === true;
}
