import type { Context } from "../core/context.ts";
import { compareFiles } from "../release/changes.ts";
import type { Digest, Manifest } from "../release/manifest.ts";
import type { IntentRun } from "../store/intent.ts";
import { clearPendingReload } from "../store/pending_reload.ts";
import { findRelease, releaseDir } from "../store/releases.ts";
import type { Store } from "../store/store.ts";
import type { Safeguards } from "./safeguards.ts";

/** An activation as consumers are told of it. */
export interface News {
  readonly event: "activated" | "rolled-back";
  readonly manifest: Manifest;
  readonly previous: Digest | undefined;
}

/**
 * Tells every configured consumer which release is active now. What is pending is told from here on.
 *
 * @throws {FailedError} code `RELOAD_FAILED`
 */
export async function tellConsumers(
  context: Context,
  store: Store,
  run: IntentRun,
  { event, manifest, previous }: News,
  { reload }: Pick<Safeguards, "reload">,
): Promise<void> {
  if (reload.length === 0) return clearPendingReload(store);
  const { reloadConsumers } = await import("../reload/reload_consumers.ts");
  const before = previous === undefined ? undefined : findRelease(store, previous)?.manifest;
  await reloadConsumers(context, reload, {
    event,
    digest: manifest.digest,
    previous,
    sequence: manifest.sequence,
    modelsDir: store.modelsDir,
    releaseDir: releaseDir(store, manifest.digest),
    files: manifest.files,
    changes: compareFiles(before?.files ?? [], manifest.files),
    runId: run.runId,
  });
  clearPendingReload(store);
}
