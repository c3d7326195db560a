import * as z from "zod";
import { RefusedError } from "../core/errors.ts";
import { StateFile } from "../core/state_file.ts";
import { type Digest, Withdrawal } from "../release/manifest.ts";
import { findWithdrawn, mergeWithdrawals, type Withdrawn } from "../release/withdrawals.ts";
import { withReserve } from "./reserve.ts";
import type { Store } from "./store.ts";

const Known = z.lazy(() =>
  Withdrawal.extend({
    /** An operator activated the release nevertheless, by force. A later change of the publisher ends that. */
    isOverridden: z.boolean().optional(),
  })
);
/** A withdrawal that this machine learnt from a manifest, or published. */
export type KnownWithdrawal = Readonly<z.infer<typeof Known>>;

/** Five lists of a manifest: a store may learn from several publishers. The oldest are dropped. */
const ENTRIES_MAX = 1_000;

/** Returns everything that the store knows about withdrawals, oldest first. Reinstated releases are among them. */
export function readWithdrawals(store: Store): readonly KnownWithdrawal[] {
  const read = withdrawalsFile(store).read();
  if (read.kind === "none") return [];
  if (read.kind === "found") return read.value;
  // Reading a damaged list as empty would allow a withdrawn release.
  throw new RefusedError(
    `Cannot read ${store.withdrawals}: it is not a list of withdrawn releases (${read.reason})`,
    { code: "WITHDRAWALS_INVALID", hint: "fix it, or remove it: pulls learn again what manifests list" },
  );
}

/** Returns the entries that no operator overrides on this machine. @param learnt of a manifest, not stored yet */
export function withdrawalsInForce(store: Store, learnt: readonly Withdrawal[] = []): readonly Withdrawal[] {
  return merged(store, learnt).filter(({ isOverridden }) => isOverridden !== true);
}

/** Returns the entry that withdraws a release; `undefined` if it is not withdrawn, or an operator overrides that here. */
export function findWithdrawal(store: Store, digest: Digest): Withdrawn | undefined {
  return findWithdrawn(withdrawalsInForce(store), digest);
}

/** Returns the withdrawn releases, oldest first, also those that an operator overrides. */
export function listWithdrawn(store: Store): readonly KnownWithdrawal[] {
  return readWithdrawals(store).filter(({ state }) => state === "withdrawn");
}

/**
 * Learns the withdrawals of a manifest. An older list changes nothing, and neither does a missing one: no manifest takes
 * back a withdrawal but one that says so with a later time.
 *
 * @returns the entries that are new or changed, for the log
 */
export function learnWithdrawals(store: Store, learnt: readonly Withdrawal[]): readonly Withdrawal[] {
  if (learnt.length === 0) return [];
  const before = readWithdrawals(store);
  const after = merged(store, learnt);
  const told = new Map(before.map((entry) => [entry.digest, entry]));
  const isNews = ({ digest, state, at, reason }: Withdrawal) => {
    const known = told.get(digest);
    return known?.state !== state || known.at !== at || known.reason !== reason;
  };
  const news = after.filter(isNews);
  if (news.length > 0) write(store, after);
  // The end of a withdrawal that this machine never knew changes nothing here.
  return news.filter(({ digest, state }) => state === "withdrawn" || told.has(digest));
}

/**
 * Returns the list for the next manifest of a publisher: the one before and what this machine knows. Learns the former,
 * so that the next archive of `train` carries it, too.
 *
 * @param published the list of the newest manifest
 */
export function carryWithdrawals(store: Store, published: readonly Withdrawal[] = []): readonly Withdrawal[] {
  learnWithdrawals(store, published);
  return nextWithdrawals(store, published);
}

/** As {@link carryWithdrawals}, for a dry run: learns nothing. */
export function nextWithdrawals(
  store: Store | undefined,
  published: readonly Withdrawal[] = [],
): readonly Withdrawal[] {
  const known = store === undefined ? [] : readWithdrawals(store);
  return mergeWithdrawals(published, known.map(({ isOverridden: _local, ...entry }) => entry));
}

/** Lets a withdrawn release be activated on this machine, until its publisher changes the entry. */
export function overrideWithdrawal(store: Store, digest: Digest): void {
  const entries = readWithdrawals(store);
  if (findWithdrawal(store, digest) === undefined) return;
  write(store, entries.map((entry) => entry.digest === digest ? { ...entry, isOverridden: true } : entry));
}

function merged(store: Store, learnt: readonly Withdrawal[]): readonly KnownWithdrawal[] {
  return mergeWithdrawals<KnownWithdrawal>(readWithdrawals(store), learnt, ENTRIES_MAX);
}

function write(store: Store, entries: readonly KnownWithdrawal[]): void {
  withReserve(store, () => withdrawalsFile(store).replace(entries));
}

function withdrawalsFile({ fs, withdrawals }: Store): StateFile<readonly KnownWithdrawal[]> {
  return new StateFile(fs, withdrawals, z.array(Known).readonly(), { isIndented: true });
}
