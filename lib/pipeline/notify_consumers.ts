import type { Context } from "../core/context.ts";
import { DiskError, diskError, InterruptedError } from "../core/errors.ts";
import { compareFiles } from "../release/changes.ts";
import { type Digest, type Manifest, shortDigest } from "../release/manifest.ts";
import type { ReloadNotification } from "../reload/reload_notification.ts";
import { clearPendingReload } from "../store/pending_reload.ts";
import { findRelease, releaseDir } from "../store/releases.ts";
import type { Store } from "../store/store.ts";
import type { CurrentRun } from "./current_run.ts";
import type { Safeguards } from "./safeguards.ts";

/** An activation of which consumers are notified. */
export interface ActivationEvent {
  readonly event: "activated" | "rolled-back";
  readonly manifest: Manifest;
  readonly previous: Digest | undefined;
}

/**
 * Notifies every configured consumer of the active release. Afterwards no notification is pending, unless the disk fails.
 *
 * @throws {FailedError} code `RELOAD_FAILED`; {@link InterruptedError} that names the active release
 */
export async function notifyConsumers(
  context: Context,
  store: Store,
  run: CurrentRun,
  { event, manifest, previous }: ActivationEvent,
  { reload }: Pick<Safeguards, "reload">,
): Promise<void> {
  if (reload.length === 0) return noteNotified(context, store);
  const { reloadConsumers } = await import("../reload/reload_consumers.ts");
  const before = previous === undefined ? undefined : findRelease(store, previous)?.manifest;
  const notification: ReloadNotification = {
    event,
    digest: manifest.digest,
    previous,
    sequence: manifest.sequence,
    modelsDir: store.modelsDir,
    releaseDir: releaseDir(store, manifest.digest),
    files: manifest.files,
    changes: compareFiles(before?.files ?? [], manifest.files),
    runId: run.runId,
  };
  try {
    await run.step("reload", () => reloadConsumers(context, reload, notification));
  } catch (error) {
    throw error instanceof InterruptedError ? interrupted(error, manifest.digest) : error;
  }
  noteNotified(context, store);
}

/** A failure of the disk is none of the release: consumers have loaded it. */
function noteNotified({ log }: Context, store: Store): void {
  try {
    clearPendingReload(store);
  } catch (error) {
    const failure = diskError(error, "note that consumers are notified");
    if (!(failure instanceof DiskError)) throw failure;
    log.warn(`${failure.message}; the next run notifies them again`);
  }
}

function interrupted(cause: InterruptedError, active: Digest): InterruptedError {
  return new InterruptedError(cause.message, {
    code: cause.code,
    hint: `release ${shortDigest(active)} is active; the next pull notifies its consumers`,
    cause,
  });
}
