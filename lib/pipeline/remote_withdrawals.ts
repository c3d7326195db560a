import type { Context } from "../core/context.ts";
import { type Digest, SEQUENCE_MAX, type Withdrawal } from "../release/manifest.ts";
import { findWithdrawn } from "../release/withdrawals.ts";
import { readPointer } from "../store/pointers.ts";
import { findQuarantine } from "../store/quarantine.ts";
import type { Store } from "../store/store.ts";
import { withdrawalsInForce } from "../store/withdrawals.ts";
import type { RemoteRelease } from "./read_remote.ts";
import type { ReadSignatures } from "./check_signature.ts";
import { rollbackTargets } from "./rollback_targets.ts";

type WithdrawalNote = Pick<Withdrawal, "at" | "reason">;

/** The withdrawals that the next pull of a source acts on. */
export interface RemoteWithdrawals {
  /** Of the newest release of the source. */
  readonly withdrawal: WithdrawalNote | null;
  /** Of the active release, and the release that the next pull activates in its place; `null` if there is none. */
  readonly activeWithdrawal: WithdrawalNote & { readonly replacedBy: Digest | null } | null;
}

/**
 * Returns what the next pull does about withdrawn releases, from the list of the source and of the store. The newest
 * release of the source is not verified.
 */
export async function remoteWithdrawals(
  context: Context,
  store: Store | undefined,
  remote: RemoteRelease,
  readSignatures: ReadSignatures,
): Promise<RemoteWithdrawals> {
  const list = store === undefined ? remote.withdrawals : withdrawalsInForce(store, remote.withdrawals);
  const newest = remote.digest === null ? undefined : findWithdrawn(list, remote.digest);
  const active = store === undefined ? undefined : readPointer(store, "current");
  const withdrawn = active === undefined ? undefined : findWithdrawn(list, active);
  const withdrawal = newest === undefined ? null : noteOf(newest);
  if (store === undefined || withdrawn === undefined) return { withdrawal, activeWithdrawal: null };
  const { digest } = withdrawn;
  const replacedBy = replacementOf(store, digest, remote, list) ??
    (await rollbackTargets(context, store, digest, list, readSignatures))[0]?.manifest.digest ?? null;
  return { withdrawal, activeWithdrawal: { ...noteOf(withdrawn), replacedBy } };
}

/** Returns the newest release of the source, if a pull activates it. */
function replacementOf(
  store: Store,
  active: Digest,
  remote: RemoteRelease,
  list: readonly Withdrawal[],
): Digest | undefined {
  const { digest } = remote;
  const isAccepted = digest !== null && digest !== active && findWithdrawn(list, digest) === undefined &&
    !isQuarantined(store, remote);
  return isAccepted ? digest : undefined;
}

/** Returns whether pulls refuse the newest release of a source because it is quarantined here. */
export function isQuarantined(store: Store, { digest, sequence }: RemoteRelease): boolean {
  return digest !== null && findQuarantine(store, digest, sequence ?? SEQUENCE_MAX) !== undefined;
}

function noteOf({ at, reason }: Withdrawal): WithdrawalNote {
  return { at, ...(reason === undefined ? {} : { reason }) };
}
