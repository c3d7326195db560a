import type { Context } from "../core/context.ts";
import { diskError } from "../core/errors.ts";
import type { ActivationMode } from "../config/choices.ts";
import { type Digest, shortDigest } from "../release/manifest.ts";
import { adoptByCopy, adoptByMove, ensureModelsLink } from "../store/adopt.ts";
import { type IntentRun, writeIntent } from "../store/intent.ts";
import { finishMirror, prepareMirror, rememberMirrored } from "../store/mirror.ts";
import { requireSeen } from "../store/consumer_view.ts";
import type { ModeChoice } from "../store/model_folder.ts";
import { readPointer, relinkPointers, setPointers } from "../store/pointers.ts";
import { addQuarantine, findEntryOf, type QuarantineEntry } from "../store/quarantine.ts";
import { Staging } from "../store/staging.ts";
import type { Store } from "../store/store.ts";
import { type ActivationIntent, undoActivation } from "./settle_activation.ts";
import { presentModels, refuseTrainedFolder } from "./trained_folder.ts";
import type { ValidRelease } from "./validate.ts";

/** What an activation did. */
export interface Activation {
  readonly release: Digest;
  /** What consumers saw before; also what `rollback` returns to. */
  readonly previous: Digest | undefined;
  readonly mode: ActivationMode;
}

/**
 * Makes a release of the store the one that consumers see. The order is the promise: the intent is on the disk before
 * the pointers move, `previous` moves before `current`, and `current` moves by one rename. Whoever is killed in between
 * leaves a store that `recover` settles.
 *
 * @param left the release that is left for good, and why: it is quarantined once the intent says so, and before the
 * pointers move
 *
 * Signals are not looked at once the intent is written: what remains are renames, and an activation that was begun is
 * best finished. What fails is taken back.
 */
export async function activate(
  context: Context,
  store: Store,
  release: ValidRelease,
  run: IntentRun,
  choice: ModeChoice,
  left?: QuarantineEntry,
): Promise<Activation> {
  const { mode } = choice;
  if (mode === "mirror") {
    context.log.warn(
      `activating file by file, because ${choice.reason}: readers may see a mixture for a moment`,
    );
  }
  await adoptRealFolder(context, store, run, choice);
  const from = readPointer(store, "current");
  const to = release.digest;
  if (from === to && mode === "symlink") {
    relinkPointers(store);
    linkModels(context, store, run);
    requireSeen(store, to);
    if (left !== undefined) addQuarantine(store, left);
    return { release: to, previous: readPointer(store, "previous"), mode };
  }
  const intent: ActivationIntent = {
    ...run,
    phase: "activating",
    mode,
    from: from ?? null,
    to,
    previousBefore: readPointer(store, "previous") ?? null,
    ...(left === undefined ? {} : { left, leftBefore: findEntryOf(store, left.digest) }),
  };
  try {
    if (mode === "mirror") await prepareMirror(context, store, run.runId, from, to);
    writeIntent(store, intent);
    if (left !== undefined) addQuarantine(store, left);
    setPointers(
      store,
      from === undefined || from === to ? { current: to } : { previous: from, current: to },
      mode,
    );
    if (mode === "symlink") linkModels(context, store, run);
    else rememberMirrored(store, release.manifest, await finishMirror(store, run.runId));
    requireSeen(store, to);
  } catch (error) {
    await takeBack(context, store, intent);
    throw diskError(error, `activate release ${shortDigest(to)}`);
  }
  return { release: to, previous: from === to ? readPointer(store, "previous") : from, mode };
}

/** What cannot be taken back now is settled with the run, or by the next one. */
async function takeBack(context: Context, store: Store, intent: ActivationIntent): Promise<void> {
  try {
    await undoActivation({ ...context, signal: new AbortController().signal }, store, intent);
  } catch (error) {
    context.log.warn(
      `cannot take the activation back yet: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

/**
 * A model folder from before this store becomes a release first, so that it can be rolled back to. A folder into which
 * a release was mirrored is not scanned again: what it holds of no release stays, whatever it is.
 */
async function adoptRealFolder(
  context: Context,
  store: Store,
  run: IntentRun,
  choice: ModeChoice,
): Promise<void> {
  const present = presentModels(store, choice.mode, readPointer(store, "current") !== undefined);
  if (present === "no models") return;
  refuseTrainedFolder(store, choice);
  const { mode } = choice;
  if (present !== "models") {
    // File by file, what no release can hold would be lost; the whole folder can make way.
    if (mode === "mirror") throw present;
    context.log.warn(`${present.message}; it makes way, and cannot be rolled back to`);
  } else if (mode === "symlink") {
    context.log.info(`keeping the present ${store.modelsDir} as a release, so that it can be rolled back to`);
    await adoptByMove(context, store, run);
  } else {
    context.log.info(`copying the present ${store.modelsDir} as a release, so that it can be rolled back to`);
    await using staging = new Staging(context, store, `${run.runId}-adopted`);
    await adoptByCopy(context, store, staging);
  }
}

function linkModels(context: Context, store: Store, run: IntentRun): void {
  const aside = ensureModelsLink(store, run.runId);
  if (aside !== undefined) context.log.warn(`what was in ${store.modelsDir} is kept in ${aside}`);
}
