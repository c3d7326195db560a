import type { Context } from "../core/context.ts";
import { HOT_SWAP_FAILED } from "../core/seed_phrases.ts";
import type { Manifest } from "../release/manifest.ts";
import { activeManifest } from "../store/pointers.ts";
import type { RunActivation } from "../store/history.ts";
import { writePendingReload } from "../store/pending_reload.ts";
import { releaseDir } from "../store/releases.ts";
import type { Store } from "../store/store.ts";
import { activate } from "./activate.ts";
import { measureBaseline, putInCanary } from "../canary/start_canary.ts";
import { rollBackFailed } from "./automatic_rollback.ts";
import type { Safeguards, SwapOptions } from "./safeguards.ts";
import { type ActivationEvent, notifyConsumers } from "./notify_consumers.ts";
import type { ValidRelease } from "./checked_release.ts";

/** The place from which a release was pulled. */
type Origin = Pick<RunActivation, "carrier" | "revision">;

/**
 * Activates a release, notifies its consumers and puts it in canary. If consumers cannot load it, rolls back. The
 * notification and the canary are on the disk before the activation: after a kill, the next run continues with them.
 *
 * @throws {RolledBackError} code `RELOAD_FAILED`; {@link FailedError} with that code if there is no release to roll back to
 */
export async function swap(
  context: Context,
  store: Store,
  release: ValidRelease,
  origin: Origin,
  options: SwapOptions,
): Promise<void> {
  const { run, choice, safeguards } = options;
  const { manifest } = release;
  const replaced = activeManifest(store);
  await requireSecrets(context, safeguards);
  if (replaced?.digest === manifest.digest) return await repair(context, store, release, origin, options);
  const baseline = await measureBaseline(context, store, manifest.digest, safeguards.canary);
  if (replaced !== undefined) {
    await backUp(context, store, replaced, safeguards);
    putInCanary(
      context,
      store,
      { manifest, previous: replaced.digest, run, baseline },
      safeguards.canary,
    );
  }
  if (safeguards.reload.length > 0) {
    writePendingReload(store, { digest: manifest.digest, previous: replaced?.digest ?? null });
  }
  const { previous } = await run.step("activate", () => activate(context, store, release, run, choice));
  run.activated = activationOf(manifest, origin);
  if (replaced === undefined && previous !== undefined) {
    // The activation made a release of the model folder that was there before this store.
    putInCanary(context, store, { manifest, previous, run, baseline }, safeguards.canary);
  } else if (replaced === undefined && safeguards.canary !== undefined) {
    context.log.info("canary: the first release has none, because there is no release to roll back to");
  }
  await announce(context, store, { event: "activated", manifest, previous }, options);
}

function activationOf({ digest, sequence }: Manifest, origin: Origin): RunActivation {
  return { release: digest, sequence, ...origin };
}

/** Activates a repaired active release again: without a canary, and without a release to roll back to. */
async function repair(
  context: Context,
  store: Store,
  release: ValidRelease,
  origin: Origin,
  options: SwapOptions,
): Promise<void> {
  const { run, choice } = options;
  await run.step("activate", () => activate(context, store, release, run, choice));
  run.activated = activationOf(release.manifest, origin);
  const activation = { event: "activated", manifest: release.manifest, previous: undefined } as const;
  await announce(context, store, activation, options);
}

/** Notifies consumers of an activation. If they cannot load it, rolls back. @throws as {@link swap} */
export async function announce(
  context: Context,
  store: Store,
  activation: ActivationEvent,
  options: SwapOptions,
): Promise<void> {
  const { run, safeguards } = options;
  try {
    await notifyConsumers(context, store, run, activation, safeguards);
  } catch (error) {
    // After an interruption, the next run notifies consumers. A rollback is not rolled back.
    if (
      context.signal.aborted || activation.previous === undefined || activation.event === "rolled-back"
    ) throw error;
    context.log.warn(HOT_SWAP_FAILED);
    throw await rollBackFailed(context, store, {
      failed: activation.manifest,
      to: activation.previous,
      code: "RELOAD_FAILED",
      reason: `failed its reload: ${error instanceof Error ? error.message : String(error)}`,
      cause: error,
    }, options);
  }
}

/** Checks before the activation that the notifications have their secrets. */
async function requireSecrets({ env }: Context, { reload }: Safeguards): Promise<void> {
  if (reload.length === 0) return;
  const { requireReloadSecrets } = await import("../reload/reload_consumers.ts");
  requireReloadSecrets(env, reload);
}

async function backUp(
  context: Context,
  store: Store,
  replaced: Manifest,
  { backup }: Safeguards,
): Promise<void> {
  if (backup === undefined) return;
  const { backupActive } = await import("../reload/backup_active.ts");
  await backupActive(context, {
    backupDir: backup.dir,
    keep: backup.keep,
    releaseDir: releaseDir(store, replaced.digest),
    files: replaced.files,
    modelsDir: store.modelsDir,
  });
}
