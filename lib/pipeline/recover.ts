import { join } from "node:path";
import type { Context } from "../core/context.ts";
import { DiskError, diskError, RefusedError } from "../core/errors.ts";
import { removeTree } from "../core/files.ts";
import { type Digest, shortDigest } from "../release/manifest.ts";
import { type Intent, readIntent } from "../store/intent.ts";
import { abandonMirror } from "../store/mirror_journal.ts";
import { inspectModelFolder } from "../store/model_folder.ts";
import { clearDamagedPrevious, readPointer, relinkPointers } from "../store/pointers.ts";
import { restoreCurrent } from "../store/restore_current.ts";
import { readPendingReload, writePendingReload } from "../store/pending_reload.ts";
import { sweepPartials } from "../store/partials.ts";
import { liftQuarantine, wasRolledBack } from "../store/quarantine.ts";
import { removePartialReleases } from "../store/releases.ts";
import { SPARE_BYTES } from "../store/require_space.ts";
import type { Store } from "../store/store.ts";

/** An unfinished run that recovery settled, and the release that is active afterwards. */
export interface Recovery {
  readonly run: Intent;
  /** `finished`: recovery did what the run was about to do. `undone`: recovery undid it, or nothing had changed yet. */
  readonly resolution: "finished" | "undone";
  readonly active: Digest | undefined;
}

/**
 * Finishes or undoes the work of a killed run, and removes its scratch files. Called under the lock, before any other
 * work. Afterwards the old or the new release is active, and whole.
 *
 * @param command the command of the run that recovers
 */
export async function recover(
  context: Context,
  store: Store,
  command: string,
): Promise<Recovery | undefined> {
  const intent = readIntent(store);
  await restoreCurrent(context, store, intent, command === "rollback");
  const resolution = intent === undefined ? undefined : await settle(context, store, intent);
  repairPointers(context, store);
  await abandonMirror(store);
  healQuarantine(context, store);
  await clearStaging(context, store);
  clearDamagedPrevious(store);
  const named = [readPointer(store, "current"), readPointer(store, "previous")];
  await removePartialReleases(store, (digest) => named.includes(digest));
  await sweepPartials(context, store, "old");
  if (intent === undefined || resolution === undefined) return undefined;
  leavePendingReload(store, intent, resolution);
  const active = readPointer(store, "current");
  context.log.warn(
    `the ${intent.command} of ${intent.startedAt} was interrupted and is ${resolution}; ` +
      (active === undefined ? "no release is active" : `release ${shortDigest(active)} is active`),
  );
  return { run: intent, resolution, active };
}

/** Removes what killed runs left in staging. Their files are kept for the next pull, unless the disk is short of space. */
async function clearStaging(context: Context, store: Store): Promise<void> {
  const left = Array.from(store.fs.readDirSync(store.staging), ({ name }) => join(store.staging, name));
  if (left.length === 0) return;
  const { keepUnfinished } = await import("../store/unfinished.ts");
  const free = await context.freeBytes(store.root) ?? Infinity;
  for (const folder of left) {
    if (free > SPARE_BYTES) keepUnfinished(store, join(folder, "files"));
    await removeTree(store.fs, folder);
  }
}

/** Replaces pointers that are files by links. If that fails, a prune can still run; pulls and rollbacks fail later. */
function repairPointers({ log }: Context, store: Store): void {
  if (inspectModelFolder(store).kind !== "linked") return;
  try {
    if (relinkPointers(store)) {
      log.warn(`${store.modelsDir} led to a pointer that was a file: it is a link again`);
    }
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    log.warn(error.message);
  }
}

/**
 * Releases an active release from the quarantine of a rollback. An older version that was killed could leave it there,
 * and a rollback to it may be killed before it releases it. With that entry, pulls would refuse every later release.
 */
function healQuarantine({ log }: Context, store: Store): void {
  const active = readPointer(store, "current");
  try {
    if (active === undefined || !wasRolledBack(store, active)) return;
    liftQuarantine(store, active);
    log.warn(
      `release ${shortDigest(active)} is active, and is no longer quarantined as one that was rolled back`,
    );
  } catch (error) {
    // Commands that need the quarantine name its damage themselves.
    const failure = diskError(error, "write the quarantine");
    if (!(failure instanceof RefusedError) && !(failure instanceof DiskError)) throw failure;
  }
}

/** Leaves the notification of a finished activation to the next pull: consumers may not have been notified. */
function leavePendingReload(store: Store, intent: Intent, resolution: Recovery["resolution"]): void {
  if (intent.phase !== "activating" || resolution === "undone" || intent.from === intent.to) return;
  if (readPendingReload(store) === undefined) {
    writePendingReload(store, { digest: intent.to, previous: intent.from });
  }
}

/** Finishes or undoes an intent. Also called by a run that failed after it wrote one. */
export async function settle(
  context: Context,
  store: Store,
  intent: Intent,
): Promise<Recovery["resolution"]> {
  switch (intent.phase) {
    case "preparing":
      return "undone";
    case "adopting": {
      const { settleAdoption } = await import("../store/adopt.ts");
      return settleAdoption(store, intent.runId, intent.digest, intent.from ?? undefined)
        ? "finished"
        : "undone";
    }
    case "activating": {
      const { settleActivation } = await import("./activate.ts");
      return await settleActivation(context, store, intent);
    }
  }
}
