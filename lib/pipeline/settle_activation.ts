import type { Context } from "../core/context.ts";
import { DiskError } from "../core/errors.ts";
import type { Digest } from "../release/manifest.ts";
import { ensureModelsLink } from "../store/adopt.ts";
import { requireSeen } from "../store/consumer_view.ts";
import type { Intent } from "../store/intent.ts";
import { finishMirror, prepareMirror, undoMirror } from "../store/mirror.ts";
import { isEmpty, planMirror } from "../store/mirror_plan.ts";
import { readPointer, restorePointer } from "../store/pointers.ts";
import { addQuarantine, liftQuarantine, restoreQuarantine, wasRolledBack } from "../store/quarantine.ts";
import { findRelease } from "../store/releases.ts";
import type { Store } from "../store/store.ts";

/** The intent of a run that moves the pointers. */
export type ActivationIntent = Intent & { readonly phase: "activating" };

/**
 * Finishes an activation if its pointers have moved, and undoes it otherwise, or if it cannot be finished. May be
 * repeated.
 */
export async function settleActivation(
  context: Context,
  store: Store,
  intent: ActivationIntent,
): Promise<"finished" | "undone"> {
  if (readPointer(store, "current") !== intent.to) {
    await undoActivation(context, store, intent);
    return "undone";
  }
  try {
    await finishActivation(context, store, intent);
    return "finished";
  } catch (error) {
    if (!(error instanceof DiskError) || !canUndo(store, intent)) throw error;
    context.log.warn(`${error.message}; rolling back to the release before`);
    await undoActivation(context, store, intent);
    return "undone";
  }
}

async function finishActivation(context: Context, store: Store, intent: ActivationIntent): Promise<void> {
  const { from, to, previousBefore, mode } = intent;
  const previous = from === to ? previousBefore : from ?? previousBefore;
  if (intent.left !== undefined && !wasRolledBack(store, intent.left.digest)) {
    addQuarantine(store, intent.left);
  }
  restorePointer(store, "previous", previous ?? undefined, mode);
  if (mode === "symlink") {
    ensureModelsLink(store, intent.runId);
  } else {
    await finishMirror(store, intent.runId);
    await completeMirror(context, store, intent.runId, from, to);
  }
  requireSeen(store, to);
}

/**
 * Undoes an activation: the pointers first, because they decide whether the next run finishes or undoes it. In symlink
 * mode, a first activation is not undone, because there is no release before it.
 */
export async function undoActivation(
  context: Context,
  store: Store,
  intent: ActivationIntent,
): Promise<void> {
  const { from, to, previousBefore, mode } = intent;
  const moved = readPointer(store, "current") === to && from !== to;
  if (moved && !canUndo(store, intent)) return;
  if (moved) restorePointer(store, "current", from ?? undefined, mode);
  restorePointer(store, "previous", previousBefore ?? undefined, mode);
  if (mode === "mirror") {
    const isUndone = await undoMirror(store, intent.runId);
    // An older version mirrored without a preparation: the folder may hold files of both releases.
    if (!isUndone && moved && from !== null) await completeMirror(context, store, intent.runId, to, from);
  }
  // The rollback is undone, so its quarantine is, too.
  if (intent.left !== undefined) restoreQuarantine(store, intent.left.digest, intent.leftBefore);
  // An older version wrote the quarantine before the intent.
  else if (intent.command === "rollback" && from !== null) liftQuarantine(store, from);
}

/** In mirror mode, the files of the release before are in the scratch of the model folder, even if not in the store. */
function canUndo(store: Store, { from, to, mode }: ActivationIntent): boolean {
  if (mode === "mirror") return from !== to;
  return from !== null && from !== to && findRelease(store, from) !== undefined;
}

/** Mirrors the files that are still missing, if no prepared mirroring is left. */
async function completeMirror(
  context: Context,
  store: Store,
  runId: string,
  from: Digest | null,
  to: Digest,
): Promise<void> {
  const manifest = findRelease(store, to)?.manifest;
  if (manifest === undefined) return;
  const old = from === null ? undefined : findRelease(store, from)?.manifest;
  if (isEmpty(await planMirror(context, store, old, manifest))) return;
  await prepareMirror(context, store, runId, from ?? undefined, to);
  await finishMirror(store, runId);
}
