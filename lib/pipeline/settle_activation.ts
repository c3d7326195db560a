import type { Context } from "../core/context.ts";
import { ensureModelsLink } from "../store/adopt.ts";
import type { Intent } from "../store/intent.ts";
import { mirrorRelease } from "../store/mirror.ts";
import { readPointer, restorePointer, setPointers } from "../store/pointers.ts";
import { liftQuarantine } from "../store/quarantine.ts";
import { findRelease } from "../store/releases.ts";
import type { Store } from "../store/store.ts";

/** The intent of a run that moves the pointers. */
export type ActivationIntent = Intent & { readonly phase: "activating" };

/** Finishes an activation whose pointers moved, and takes any other back. Doing it again ends the same. */
export async function settleActivation(
  context: Context,
  store: Store,
  intent: ActivationIntent,
): Promise<"finished" | "undone"> {
  const { from, to, previousBefore, mode } = intent;
  if (readPointer(store, "current") !== to) {
    restorePointer(store, "previous", previousBefore ?? undefined, mode);
    // A rollback quarantines the release that it leaves, before it leaves it; this one never left.
    if (intent.command === "rollback" && from !== null) liftQuarantine(store, from);
    return "undone";
  }
  restorePointer(
    store,
    "previous",
    (from === to ? previousBefore : from ?? previousBefore) ?? undefined,
    mode,
  );
  if (mode === "symlink") ensureModelsLink(store, intent.runId);
  else await mirrorRelease(context, store, from ?? undefined, to);
  return "finished";
}

/** Takes back an activation that failed, where the release before is still there. */
export function undoActivation(store: Store, { from, to, previousBefore, mode }: ActivationIntent): void {
  if (mode === "mirror" || from === null || from === to || findRelease(store, from) === undefined) return;
  if (readPointer(store, "current") === to) setPointers(store, { current: from }, mode);
  restorePointer(store, "previous", previousBefore ?? undefined, mode);
}
