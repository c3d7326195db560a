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
 * Finishes an activation whose pointers moved, and takes any other back; one that cannot be finished is taken back as
 * well. Doing it again ends the same.
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
    if (!(error instanceof DiskError) || !canGoBack(store, intent)) throw error;
    context.log.warn(`${error.message}; going back to the release before`);
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
 * Takes back an activation: the pointers first, because they say which way the next run goes. Where there was no
 * release before, a link stays with the new one.
 */
export async function undoActivation(
  context: Context,
  store: Store,
  intent: ActivationIntent,
): Promise<void> {
  const { from, to, previousBefore, mode } = intent;
  const moved = readPointer(store, "current") === to && from !== to;
  if (moved && !canGoBack(store, intent)) return;
  if (moved) restorePointer(store, "current", from ?? undefined, mode);
  restorePointer(store, "previous", previousBefore ?? undefined, mode);
  if (mode === "mirror") {
    const isUndone = await undoMirror(store, intent.runId);
    // An older version mirrored without preparing anything: files of both releases may be there.
    if (!isUndone && moved && from !== null) await completeMirror(context, store, intent.runId, to, from);
  }
  // It was not left, so it is not quarantined for that.
  if (intent.left !== undefined) restoreQuarantine(store, intent.left.digest, intent.leftBefore);
  // An older version quarantined it before it wrote the intent.
  else if (intent.command === "rollback" && from !== null) liftQuarantine(store, from);
}

/** In mirror mode the files of the release before are in the model folder's scratch, whatever the store holds. */
function canGoBack(store: Store, { from, to, mode }: ActivationIntent): boolean {
  if (mode === "mirror") return from !== to;
  return from !== null && from !== to && findRelease(store, from) !== undefined;
}

/** Mirrors what is still missing, where nothing that was prepared is left to go by. */
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
