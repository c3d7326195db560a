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

/** Runs that end so name a release of theirs, not the one that was active. */
const UNRELATED: readonly Outcome[] = ["published", "proposed", "trained", "pruned", "quarantined", "lifted"];

/** Half a day of a pull every minute. Most records name the active release. */
const LOOKBACK = 1000;

/**
 * Returns the release that `current` names. Where it is damaged: the one that was active after the newest run on
 * record, if the store holds it whole.
 *
 * @throws {RefusedError} code `POINTER_INVALID`: it is damaged, and no such release is known
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
 * Has a damaged `current` name a release again: the one before the activation that an unfinished run announced, else the
 * one that was active after the newest run on record, else the one whose files a mirrored model folder has. Where none
 * is known, or the store does not hold it whole, `current` stays as it is and the commands that need it refuse; a
 * rollback, which chooses a release by itself, frees its place.
 *
 * @param intent what an unfinished run left
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
  // Without a release nothing can be active, and before the first activation nothing was.
  const wasNone = listReleaseNames(store).length === 0 || isFirst(intent);
  if (!isRollback && !wasNone) return;
  const kept = setAside(store.fs, path);
  store.warn(
    `${path} was damaged and is removed: no release is active${
      kept === undefined ? "" : `; what was there is kept in ${kept}`
    }`,
  );
}

function isDamage(error: unknown): boolean {
  return error instanceof RefusedError && error.code === POINTER_INVALID;
}

/** What an unfinished activation goes back to; where it began with nothing, what it goes on to. */
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

/** The release that was active after the newest run on record; an older record would be a guess. */
function recordedRelease(store: Store): Digest | undefined {
  const newest = readHistory(store, LOOKBACK).find(({ release, outcome, command }) =>
    release !== undefined && !UNRELATED.includes(outcome) && !PUBLISHING_COMMANDS.includes(command)
  );
  return newest?.release !== undefined && isWhole(store, newest.release) ? newest.release : undefined;
}

/** The release whose files a mirrored model folder has; of several the one with most, which no other is a part of. */
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

/** Whether every file of a release is there, as far as names and sizes show. */
function isWhole(store: Store, digest: Digest): boolean {
  const dir = releaseDir(store, digest);
  const files = findRelease(store, digest)?.manifest.files;
  return files?.every(({ path, size }) => {
    const found = findEntry(store.fs, join(dir, path));
    return found?.isFile === true && found.size === size;
  }) === true;
}
