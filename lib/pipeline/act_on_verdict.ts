import { canaryPath, judgedCanary } from "../canary/find_canary.ts";
import { concludeCanary } from "../canary/settle_canary.ts";
import type { Context } from "../core/context.ts";
import { activeManifest } from "../store/pointers.ts";
import type { Store } from "../store/store.ts";
import type { SwapOptions } from "./safeguards.ts";

/**
 * Acts on the verdict of a canary: rolls back from a release that failed or whose canary was aborted, and closes the
 * canary. Does nothing without a verdict, and only closes the canary if its release is no longer active.
 *
 * @throws {RolledBackError} code `CANARY_DEGRADED` or `CANARY_ABORTED`
 */
export async function actOnVerdict(context: Context, store: Store, options: SwapOptions): Promise<void> {
  const canary = judgedCanary(store);
  if (canary === undefined) return;
  const failed = activeManifest(store);
  const isBad = canary.status === "degraded" || canary.status === "aborted";
  if (!isBad || failed?.digest !== canary.digest) return concludeCanary(context, canaryPath(store), canary);
  const { rollBackFailed } = await import("./automatic_rollback.ts");
  const error = await rollBackFailed(context, store, {
    failed,
    to: canary.previous,
    code: canary.status === "degraded" ? "CANARY_DEGRADED" : "CANARY_ABORTED",
    reason: canary.status === "degraded"
      ? `failed its canary: ${canary.reason}`
      : "was aborted in its canary",
  }, options);
  concludeCanary(context, canaryPath(store), canary);
  throw error;
}
