import { type Context, uninterrupted } from "../core/context.ts";
import { DiskError, diskError, messageOf } from "../core/errors.ts";
import type { ActivationMode } from "../config/choices.ts";
import { type Digest, shortDigest } from "../release/manifest.ts";
import { adoptByCopy, adoptByMove, ensureModelsLink } from "../store/adopt.ts";
import { type Intent, type IntentRun, writeIntent } from "../store/intent.ts";
import { finishMirror, prepareMirror, rememberMirrored, undoMirror } from "../store/mirror.ts";
import { requireSeen } from "../store/consumer_view.ts";
import type { ModeChoice } from "../store/model_folder.ts";
import { readPointer, relinkPointers, restorePointer, setPointers } from "../store/pointers.ts";
import {
  addQuarantine,
  findQuarantineEntry,
  type QuarantineEntry,
  restoreQuarantine,
  wasRolledBack,
} from "../store/quarantine.ts";
import type { Store } from "../store/store.ts";
import { presentModels, refuseTrainedFolder, trainedModels } from "./trained_folder.ts";
import type { ValidRelease } from "./checked_release.ts";
import { isoSeconds } from "../core/clock.ts";
import { writePendingReload } from "../store/pending_reload.ts";
import type { ActivationOptions } from "./safeguards.ts";
import { isEmpty, planMirror } from "../store/mirror_plan.ts";
import { findRelease } from "../store/releases.ts";

/** The changes of an activation. */
export interface Activation {
  readonly release: Digest;
  /** The release that consumers saw before, which a rollback activates again. */
  readonly previous: Digest | undefined;
  readonly mode: ActivationMode;
}

/**
 * Makes a release of the store the one that consumers see. The intent is on the disk before the pointers move,
 * `previous` moves before `current`, and `current` moves by one rename: after a kill at any point, `recover` settles the
 * store.
 *
 * Signals are ignored once the intent is written: only renames remain, and finishing is safer than stopping. An
 * activation that fails is undone.
 *
 * @param replaced the quarantine's entry for the release that is rolled back, if it is a rollback: it is written after
 * the intent and before the pointers move
 */
export async function activate(
  context: Context,
  store: Store,
  release: ValidRelease,
  run: IntentRun,
  choice: ModeChoice,
  replaced?: QuarantineEntry,
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
  if (from === to && mode === "symlink" && replaced === undefined) {
    relinkPointers(store);
    linkModels(context, store, run);
    requireSeen(store, to);
    return { release: to, previous: readPointer(store, "previous"), mode };
  }
  const intent: ActivationIntent = {
    ...run,
    phase: "activating",
    mode,
    from: from ?? null,
    to,
    previousBefore: readPointer(store, "previous") ?? null,
    ...(replaced === undefined
      ? {}
      : { left: replaced, leftBefore: findQuarantineEntry(store, replaced.digest) }),
  };
  try {
    if (mode === "mirror") await prepareMirror(context, store, run.runId, from, to);
    writeIntent(store, intent);
    if (replaced !== undefined) addQuarantine(store, replaced);
    setPointers(
      store,
      from === undefined || from === to ? { current: to } : { previous: from, current: to },
      mode,
    );
    if (mode === "symlink") linkModels(context, store, run);
    else rememberMirrored(store, release.manifest, await finishMirror(store, run.runId));
    requireSeen(store, to);
  } catch (error) {
    await undo(context, store, intent);
    throw diskError(error, `activate release ${shortDigest(to)}`);
  }
  return { release: to, previous: from === to ? readPointer(store, "previous") : from, mode };
}

/** Undoes a failed activation. If that fails, too, the end of the run settles it, or the next run. */
async function undo(context: Context, store: Store, intent: ActivationIntent): Promise<void> {
  try {
    await undoActivation(uninterrupted(context), store, intent);
  } catch (error) {
    context.log.warn(
      `cannot undo the activation yet: ${messageOf(error)}`,
    );
  }
}

/**
 * Makes a release of a model folder that is older than the store, so that a rollback can activate it again. Files that
 * belong to no release stay in a folder that a release was mirrored into, so that folder is not scanned again.
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
    // A mirror would overwrite files that no release can hold; a link replaces the folder, which is kept as a whole.
    if (mode === "mirror") throw present;
    context.log.warn(`${present.message}; the folder is replaced, and no rollback can activate it`);
  } else if (mode === "symlink") {
    context.log.info(
      `keeping the present ${store.modelsDir} as a release, so that a rollback can activate it`,
    );
    await adoptByMove(context, store, run);
  } else {
    context.log.info(
      `copying the present ${store.modelsDir} as a release, so that a rollback can activate it`,
    );
    const { Staging } = await import("../store/staging.ts");
    await using staging = new Staging(context, store, `${run.runId}-adopted`);
    await adoptByCopy(context, store, staging);
  }
}

/**
 * Makes the models of a real folder the active release if no release is active, as on a fresh disk whose image brings
 * models. Consumers see the same files before and after. Does nothing if this machine trains into the folder, or if
 * signatures are required: these models have none.
 *
 * @returns whether a release became active
 */
export async function adoptPresentModels(
  context: Context,
  store: Store,
  { run, choice }: Pick<ActivationOptions, "run" | "choice">,
  areSignaturesRequired: boolean,
): Promise<boolean> {
  const { mode } = choice;
  if (readPointer(store, "current") !== undefined) return false;
  if (presentModels(store, mode, false) !== "models" || trainedModels(store, mode) !== undefined) {
    return false;
  }
  const models = `the models that are already in ${store.modelsDir}`;
  if (areSignaturesRequired) {
    context.log.warn(
      `${models} have no signature, and signing.required is set: they do not become a release`,
    );
    return false;
  }
  context.log.warn(`${models} become the active release`);
  await run.step("activate", () => adoptRealFolder(context, store, run, choice));
  return true;
}

function linkModels(context: Context, store: Store, run: IntentRun): void {
  const aside = ensureModelsLink(store, run.runId);
  if (aside !== undefined) context.log.warn(`the former content of ${store.modelsDir} is kept in ${aside}`);
}

/** The active release that a rollback replaces, and why it is quarantined. */
interface ReplacedRelease {
  readonly digest: Digest;
  readonly sequence: number;
  readonly reason: string;
  /** Whether its publisher withdrew it. */
  readonly isWithdrawn?: boolean;
}

/**
 * Activates an older release and quarantines the active one, so that the next scheduled pull does not activate it again.
 * It first writes down that consumers are not notified yet. If the activation fails, the active release stays, and is
 * not quarantined.
 */
export async function rollBackTo(
  context: Context,
  store: Store,
  release: ValidRelease,
  replaced: ReplacedRelease,
  { run, choice, safeguards }: ActivationOptions,
): Promise<Activation> {
  if (safeguards.reload.length > 0) {
    writePendingReload(store, { digest: replaced.digest, previous: release.digest });
  }
  return await activate(context, store, release, run, choice, {
    ...replaced,
    at: isoSeconds(context.clock.now()),
    wasLeft: true,
  });
}

/** The intent of a run that moves the pointers. */
type ActivationIntent = Intent & { readonly phase: "activating" };

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
async function undoActivation(
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
