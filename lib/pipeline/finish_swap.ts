import type { Context } from "../core/context.ts";
import { FailedError } from "../core/errors.ts";
import type { Digest } from "../release/manifest.ts";
import { clearPendingReload, readPendingReload } from "../store/pending_reload.ts";
import { activeManifest } from "../store/pointers.ts";
import { wasRolledBack } from "../store/quarantine.ts";
import type { Store } from "../store/store.ts";
import type { SwapOptions } from "./safeguards.ts";

/** The steps of an earlier run that a pull completed. */
interface FinishedSwap {
  /** The release whose activation this finished. */
  readonly activated?: Digest;
  /** Why consumers could not load the active release, if that causes no rollback: a newer release may fix it. */
  readonly reloadError?: FailedError;
}

/**
 * Notifies consumers of a change of which a killed or interrupted run may not have notified them, if there is one.
 *
 * @throws as `swap`
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
    context.log.info("notifying consumers of the active release, which an earlier run did not complete");
  }
  const stays = pending.digest === manifest.digest;
  const previous = (stays ? pending.previous : pending.digest) ?? undefined;
  const isNew = stays && (previous === undefined || !wasRolledBack(store, previous));
  const activation = { event: isNew ? "activated" : "rolled-back", manifest, previous } as const;
  const { announce } = await import("./swap.ts");
  try {
    await announce(context, store, activation, options);
    return isNew ? { activated: manifest.digest } : {};
  } catch (error) {
    if (!(error instanceof FailedError) || error.code !== "RELOAD_FAILED") throw error;
    context.log.error(error.message);
    return { reloadError: error };
  }
}
