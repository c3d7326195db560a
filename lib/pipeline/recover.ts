import { join } from "node:path";
import type { Context } from "../core/context.ts";
import { removeTree } from "../core/files.ts";
import { type Digest, shortDigest } from "../release/manifest.ts";
import { ensureModelsLink, settleAdoption } from "../store/adopt.ts";
import { type Intent, readIntent } from "../store/intent.ts";
import { mirrorRelease } from "../store/mirror.ts";
import { readPointer, restorePointer, syncPointers } from "../store/pointers.ts";
import { readPendingReload, writePendingReload } from "../store/pending_reload.ts";
import { sweepPartials } from "../store/partials.ts";
import { liftQuarantine } from "../store/quarantine.ts";
import { removePartialReleases } from "../store/releases.ts";
import type { Store } from "../store/store.ts";

/** What recovery found of a run that did not end, and which release is active after it. */
export interface Recovery {
  readonly run: Intent;
  /** `finished`: what it was about to do was done. `undone`: it was taken back, or had touched nothing. */
  readonly resolution: "finished" | "undone";
  readonly active: Digest | undefined;
}

/**
 * Finishes or undoes what a killed run left, and sweeps up after it. Called under the lock, before anything else.
 * Afterwards the old or the new release is active, whole.
 */
export async function recover(context: Context, store: Store): Promise<Recovery | undefined> {
  const intent = readIntent(store);
  const resolution = intent === undefined ? undefined : await settle(context, store, intent);
  for (const entry of store.fs.readDirSync(store.staging)) {
    await removeTree(store.fs, join(store.staging, entry.name));
  }
  await removePartialReleases(store);
  await sweepPartials(context, store, "old");
  if (intent === undefined || resolution === undefined) return undefined;
  leaveTelling(store, intent, resolution);
  const active = readPointer(store, "current");
  context.log.warn(
    `the ${intent.command} of ${intent.startedAt} was cut short and is ${resolution}; ` +
      (active === undefined ? "no release is active" : `release ${shortDigest(active)} is active`),
  );
  return { run: intent, resolution, active };
}

/** Whoever is to hear of a swap may not have: the next pull tells it. */
function leaveTelling(store: Store, intent: Intent, resolution: Recovery["resolution"]): void {
  if (intent.phase !== "activating" || resolution === "undone" || intent.from === intent.to) return;
  if (readPendingReload(store) === undefined) {
    writePendingReload(store, { digest: intent.to, previous: intent.from });
  }
}

/** Brings the store to one side of an intent. Also called by a run that failed after writing one. */
export async function settle(
  context: Context,
  store: Store,
  intent: Intent,
): Promise<Recovery["resolution"]> {
  switch (intent.phase) {
    case "preparing":
      return "undone";
    case "adopting":
      return settleAdoption(store, intent.runId, intent.digest, intent.from ?? undefined)
        ? "finished"
        : "undone";
    case "activating":
      return await settleActivation(context, store, intent);
  }
}

async function settleActivation(
  context: Context,
  store: Store,
  intent: Intent & { readonly phase: "activating" },
): Promise<Recovery["resolution"]> {
  const { from, to, previousBefore, mode } = intent;
  if (readPointer(store, "current") !== to) {
    restorePointer(store, "previous", previousBefore ?? undefined);
    syncPointers(store);
    // A rollback quarantines the release that it leaves, before it leaves it; this one never left.
    if (intent.command === "rollback" && from !== null) liftQuarantine(store, from);
    return "undone";
  }
  restorePointer(store, "previous", (from === to ? previousBefore : from ?? previousBefore) ?? undefined);
  syncPointers(store);
  if (mode === "symlink") ensureModelsLink(store, intent.runId);
  else await mirrorRelease(context, store, from ?? undefined, to);
  return "finished";
}
