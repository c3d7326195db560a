import { clearCanary } from "../canary/canary_state.ts";
import { canaryPath } from "../canary/find_canary.ts";
import type { Context } from "../core/context.ts";
import { RefusedError } from "../core/errors.ts";
import { type Digest, type Manifest, shortDigest, type Withdrawal } from "../release/manifest.ts";
import { findWithdrawn, WITHDRAWN, type Withdrawn, withdrawnWords } from "../release/withdrawals.ts";
import { activeManifest, readPointer } from "../store/pointers.ts";
import { findQuarantineEntry, liftQuarantine } from "../store/quarantine.ts";
import { withReserve } from "../store/reserve.ts";
import type { Store } from "../store/store.ts";
import { findWithdrawal, learnWithdrawals, withdrawalsInForce } from "../store/withdrawals.ts";
import { RolledBackError, type RunReport } from "./run_report.ts";
import type { SwapOptions } from "./safeguards.ts";

/**
 * Learns the withdrawals of a manifest whose signature was checked. A reinstated release leaves the quarantine into
 * which its withdrawal put it.
 */
export function learnFrom({ log }: Pick<Context, "log">, store: Store, manifest: Manifest | undefined): void {
  const active = readPointer(store, "current");
  for (const { digest, state, at, reason } of learnWithdrawals(store, manifest?.withdrawals ?? [])) {
    const name = shortDigest(digest);
    // The rollback from the active release, or its refusal, says so itself.
    if (state === "withdrawn" && digest !== active) {
      log.info(`release ${name} was withdrawn ${withdrawnWords({ at, reason })}`);
    }
    if (state !== "reinstated") continue;
    log.info(`release ${name} is no longer withdrawn, since ${at}`);
    if (findQuarantineEntry(store, digest)?.isWithdrawn === true) liftQuarantine(store, digest);
  }
}

/** An active release that its publisher withdrew. */
export interface LeftRelease {
  readonly failed: Manifest;
  readonly withdrawn: Withdrawn;
  /** The error to throw at the end of the pull; `undefined` if there is no release to roll back to. */
  readonly rolledBack: RolledBackError | undefined;
}

/**
 * Rolls back from the active release if its publisher withdrew it: to the first of the {@link rollbackTargets} that is
 * whole. If there is none, consumers keep the active one. A release without the required signature is better than the
 * withdrawn one.
 *
 * @returns `undefined` if the active release is not withdrawn
 */
export async function leaveWithdrawn(
  context: Context,
  store: Store,
  options: SwapOptions,
): Promise<LeftRelease | undefined> {
  const current = readPointer(store, "current");
  const withdrawn = current && findWithdrawal(store, current);
  // Few releases are withdrawn, and the manifest of many files takes 40 ms.
  const failed = withdrawn && activeManifest(store);
  if (failed === undefined || withdrawn === undefined) return undefined;
  // Loaded only for a rollback: an unchanged pull starts faster without them.
  const [{ rollBackFailed }, { rollbackTargets, warnOfUntrusted }] = await Promise.all([
    import("./automatic_rollback.ts"),
    import("./rollback_targets.ts"),
  ]);
  const reason = reasonOf(withdrawn);
  const withdrawals = withdrawalsInForce(store);
  const { readSignatures } = options;
  const targets = await rollbackTargets(context, store, failed.digest, withdrawals, readSignatures);
  for (const { manifest, isTrusted } of targets) {
    try {
      const target = { failed, to: manifest.digest, code: WITHDRAWN, reason, withdrawal: withdrawn };
      const rolledBack = await rollBackFailed(context, store, target, options);
      if (!isTrusted) warnOfUntrusted(context, manifest);
      withReserve(store, () => clearCanary(context.fs, canaryPath(store)));
      return { failed, withdrawn, rolledBack };
    } catch (error) {
      // The release is damaged: an older one may be whole, and the pull may bring it again.
      if (!(error instanceof RefusedError)) throw error;
      context.log.warn(error.message);
    }
  }
  return { failed, withdrawn, rolledBack: undefined };
}

/** Returns the error of a pull that activated another release in the place of a withdrawn one. */
export function replacedWithdrawn(
  { failed, withdrawn }: LeftRelease,
  pulled: RunReport & { readonly release: Digest },
): RolledBackError {
  const { digest } = failed;
  const name = shortDigest(digest);
  return new RolledBackError(
    `Cannot keep release ${name} active: it ${reasonOf(withdrawn)}; release ${
      shortDigest(pulled.release)
    } is active now`,
    {
      code: WITHDRAWN,
      hint: `to activate ${name} anyway: model-sync rollback --to ${name} --force`,
      report: { ...pulled, outcome: "rolled-back", previous: digest, withdrawal: withdrawn },
    },
  );
}

function reasonOf(withdrawn: Withdrawn): string {
  return `was withdrawn ${withdrawnWords(withdrawn)}`;
}

/**
 * Refuses a release that is withdrawn.
 *
 * @throws {RefusedError} code `WITHDRAWN`
 */
export function refuseWithdrawn(
  withdrawals: readonly Withdrawal[],
  offered: Digest,
  active: Digest | undefined,
): void {
  const withdrawn = findWithdrawn(withdrawals, offered);
  if (withdrawn !== undefined) throw withdrawnRefusal(withdrawn, active);
}

function withdrawnRefusal(withdrawn: Withdrawn, active: Digest | undefined): RefusedError {
  const name = shortDigest(withdrawn.digest);
  const staying = active === withdrawn.digest
    ? "; it stays active, because the store holds no other release to roll back to"
    : "";
  return new RefusedError(
    `Cannot activate release ${name}: its publisher withdrew it ${withdrawnWords(withdrawn)}${staying}`,
    {
      code: WITHDRAWN,
      hint:
        `on the publisher: publish a newer release, or allow this one again: model-sync withdraw ${name} --undo`,
    },
  );
}
