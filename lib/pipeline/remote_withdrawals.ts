import { type Digest, SEQUENCE_MAX, type Withdrawal } from "../release/manifest.ts";
import { findWithdrawn } from "../release/withdrawals.ts";
import { readPointer } from "../store/pointers.ts";
import { findQuarantine } from "../store/quarantine.ts";
import type { Store } from "../store/store.ts";
import { withdrawalsInForce } from "../store/withdrawals.ts";
import type { RemoteRelease } from "./read_remote.ts";
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
 * Returns what the next pull does about withdrawn releases, from the list of the source and of the store. Nothing is
 * verified.
 */
export function remoteWithdrawals(store: Store | undefined, remote: RemoteRelease): RemoteWithdrawals {
  const list = store === undefined ? remote.withdrawals : withdrawalsInForce(store, remote.withdrawals);
  const newest = remote.digest === null ? undefined : findWithdrawn(list, remote.digest);
  const active = store === undefined ? undefined : readPointer(store, "current");
  const withdrawn = active === undefined ? undefined : findWithdrawn(list, active);
  return {
    withdrawal: newest === undefined ? null : noteOf(newest),
    activeWithdrawal: store === undefined || withdrawn === undefined
      ? null
      : { ...noteOf(withdrawn), replacedBy: replacementOf(store, withdrawn.digest, remote, list) ?? null },
  };
}

/** Returns the newest release of the source, else the one that the pull rolls back to. */
function replacementOf(
  store: Store,
  active: Digest,
  remote: RemoteRelease,
  list: readonly Withdrawal[],
): Digest | undefined {
  const { digest } = remote;
  const isAccepted = digest !== null && digest !== active && findWithdrawn(list, digest) === undefined &&
    !isQuarantined(store, remote);
  return isAccepted ? digest : rollbackTargets(store, active, list)[0]?.manifest.digest;
}

/** Returns whether pulls refuse the newest release of a source because it is quarantined here. */
export function isQuarantined(store: Store, { digest, sequence }: RemoteRelease): boolean {
  return digest !== null && findQuarantine(store, digest, sequence ?? SEQUENCE_MAX) !== undefined;
}

function noteOf({ at, reason }: Withdrawal): WithdrawalNote {
  return { at, ...(reason === undefined ? {} : { reason }) };
}
