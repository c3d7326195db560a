import type { Context } from "../core/context.ts";
import { FailedError } from "../core/errors.ts";
import type { Digest, Manifest } from "../release/manifest.ts";
import { activeManifest } from "../store/pointers.ts";
import { clearPendingReload, readPendingReload, writePendingReload } from "../store/pending_reload.ts";
import { releaseDir } from "../store/releases.ts";
import { wasRolledBack } from "../store/quarantine.ts";
import type { Store } from "../store/store.ts";
import { activate } from "./activate.ts";
import { measureBaseline, putInCanary } from "./put_in_canary.ts";
import { rollBackFailed } from "./automatic_rollback.ts";
import type { Safeguards, SwapOptions } from "./safeguards.ts";
import { type ActivationNews, notifyConsumers } from "./notify_consumers.ts";
import type { ValidRelease } from "./valid_release.ts";

/**
 * Activates a release and tells its consumers; one that they cannot load is left again. What is to be done after the
 * activation is on the disk before it, so that a kill in between leaves it to the next run.
 *
 * @throws {RolledBackError} code `RELOAD_FAILED`; {@link FailedError} with that code when there is nothing to go back to
 */
export async function swap(
  context: Context,
  store: Store,
  release: ValidRelease,
  options: SwapOptions,
): Promise<void> {
  const { run, choice, safeguards } = options;
  const { manifest } = release;
  const left = activeManifest(store);
  await requireSecrets(context, safeguards);
  if (left?.digest === manifest.digest) return await mend(context, store, release, options);
  const baseline = await measureBaseline(context, store, manifest.digest, safeguards.canary);
  if (left !== undefined) {
    await backUp(context, store, left, safeguards);
    await putInCanary(context, store, { manifest, previous: left.digest, run, baseline }, safeguards.canary);
  }
  if (safeguards.reload.length > 0) {
    writePendingReload(store, { digest: manifest.digest, previous: left?.digest ?? null });
  }
  const { previous } = await run.step("activate", () => activate(context, store, release, run, choice));
  if (left === undefined && previous !== undefined) {
    // A model folder from before this store became a release just now.
    await putInCanary(context, store, { manifest, previous, run, baseline }, safeguards.canary);
  } else if (left === undefined && safeguards.canary !== undefined) {
    context.log.info("canary: the first release is not watched, there is none to go back to");
  }
  await announce(context, store, { event: "activated", manifest, previous }, options);
}

/** The active release was damaged and is whole again: it has nothing to prove, and nothing to go back to. */
async function mend(
  context: Context,
  store: Store,
  release: ValidRelease,
  options: SwapOptions,
): Promise<void> {
  const { run, choice } = options;
  await run.step("activate", () => activate(context, store, release, run, choice));
  const news = { event: "activated", manifest: release.manifest, previous: undefined } as const;
  await announce(context, store, news, options);
}

/** What a run found to finish of the one before it. */
interface FinishedSwap {
  /** The release whose activation came to its end just now. */
  readonly activated?: Digest;
  /** Why consumers could not be told, where that is no reason to go back: something newer may mend it. */
  readonly untold?: FailedError;
}

/**
 * Tells consumers what a killed or interrupted run may not have told them. Does nothing where all were told.
 *
 * @throws as {@link swap}
 */
export async function finishSwap(
  context: Context,
  store: Store,
  options: SwapOptions,
): Promise<FinishedSwap> {
  const pending = readPendingReload(store);
  if (pending === undefined) return {};
  const manifest = activeManifest(store);
  if (manifest === undefined) {
    clearPendingReload(store);
    return {};
  }
  if (options.safeguards.reload.length > 0) {
    context.log.info("consumers were not told yet which release is active");
  }
  const stays = pending.digest === manifest.digest;
  const previous = (stays ? pending.previous : pending.digest) ?? undefined;
  const isNew = stays && (previous === undefined || !wasRolledBack(store, previous));
  const news = { event: isNew ? "activated" : "rolled-back", manifest, previous } as const;
  try {
    await announce(context, store, news, options);
    return isNew ? { activated: manifest.digest } : {};
  } catch (error) {
    if (!(error instanceof FailedError) || error.code !== "RELOAD_FAILED") throw error;
    context.log.error(error.message);
    return { untold: error };
  }
}

async function announce(
  context: Context,
  store: Store,
  news: ActivationNews,
  options: SwapOptions,
): Promise<void> {
  const { run, safeguards } = options;
  try {
    await notifyConsumers(context, store, run, news, safeguards);
  } catch (error) {
    // An interrupted run leaves it to the next one. What was gone back to is not left again.
    if (context.signal.aborted || news.previous === undefined || news.event === "rolled-back") throw error;
    context.log.warn("Model hot-swap failed - keeping current model");
    throw await rollBackFailed(context, store, {
      failed: news.manifest,
      to: news.previous,
      code: "RELOAD_FAILED",
      reason: `could not be loaded by its consumers: ${
        error instanceof Error ? error.message : String(error)
      }`,
      cause: error,
    }, options);
  }
}

/** What could not be announced is not activated. */
async function requireSecrets({ env }: Context, { reload }: Safeguards): Promise<void> {
  if (reload.length === 0) return;
  const { requireReloadSecrets } = await import("../reload/reload_consumers.ts");
  requireReloadSecrets(env, reload);
}

async function backUp(
  context: Context,
  store: Store,
  left: Manifest,
  { backup }: Safeguards,
): Promise<void> {
  if (backup === undefined) return;
  const { backupActive } = await import("../reload/backup_active.ts");
  await backupActive(context, {
    backupDir: backup.dir,
    keep: backup.keep,
    releaseDir: releaseDir(store, left.digest),
    files: left.files,
    modelsDir: store.modelsDir,
  });
}
