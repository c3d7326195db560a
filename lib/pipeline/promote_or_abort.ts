import { canaryPath } from "../canary/find_canary.ts";
import { abortCanary, concludeCanary, promoteCanary } from "../canary/settle_canary.ts";
import type { Digest } from "../release/manifest.ts";
import { chooseMode } from "../store/model_folder.ts";
import type { Store } from "../store/store.ts";
import { actOnVerdict } from "./act_on_verdict.ts";
import { signaturePolicy } from "./configured_signing.ts";
import { type CommandScope, reportedRun } from "./reported_run.ts";
import { RolledBackError, type RunReport, type Timed } from "./run_report.ts";
import { safeguardsOf } from "./safeguards.ts";

/** The report of a promotion. */
export interface Promotion {
  readonly outcome: "promoted";
  readonly release: Digest;
  readonly sequence: number;
}

/**
 * Ends the canary of the active release with the operator's verdict that it is good.
 *
 * @throws {UsageError} code `NO_CANARY`; {@link FailedError} code `CANARY_STATE_INVALID`
 */
export async function recordedPromotion(scope: CommandScope, store: Store): Promise<Timed<Promotion>> {
  return await reportedRun(scope, store, "canary", (_run, context) => {
    const promoted = promoteCanary(context, canaryPath(store));
    concludeCanary(context, canaryPath(store), promoted);
    const { digest: release, sequence } = promoted;
    return Promise.resolve({ outcome: "promoted" as const, release, sequence });
  });
}

/**
 * Ends the canary with the operator's verdict that the release is bad, and rolls back. The report is `unchanged` where
 * the release is not active any more.
 *
 * @throws {UsageError} code `NO_CANARY`; {@link FailedError} code `CANARY_STATE_INVALID`
 */
export async function recordedAbort(scope: CommandScope, store: Store): Promise<Timed<RunReport>> {
  const { settings } = scope;
  return await reportedRun(scope, store, "canary", async (run, context): Promise<RunReport> => {
    abortCanary(context, canaryPath(store));
    const choice = chooseMode(store, settings.activation.mode);
    try {
      await actOnVerdict(context, store, {
        run,
        choice,
        safeguards: safeguardsOf(settings),
        readSignatures: () => signaturePolicy(context, settings.signing),
      });
      return { outcome: "unchanged" };
    } catch (error) {
      // The rollback is what an abort is for: here it is the result, not a failure.
      if (error instanceof RolledBackError) return error.report;
      throw error;
    }
  });
}
