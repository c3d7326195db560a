import { isoSeconds } from "../core/clock.ts";
import { RefusedError } from "../core/errors.ts";
import { type Digest, shortDigest, type Withdrawal } from "./manifest.ts";

/** A release that is withdrawn: clients refuse it. */
export type Withdrawn = Withdrawal & { readonly state: "withdrawn" };

/** The change of a release that an operator wants. */
export interface WithdrawalChange {
  readonly digest: Digest;
  readonly state: "withdrawn" | "reinstated";
  readonly reason?: string | undefined;
}

/**
 * The most withdrawals of a manifest: one a week for four years, in less than 80 KiB. The oldest are dropped. Clients
 * keep what they learnt, and a client that learnt nothing pulls only the newest release.
 */
export const WITHDRAWALS_MAX = 200;

/**
 * Merges lists of withdrawals. For each release the latest change counts, and of two at the same time the withdrawal. So
 * the order of the lists does not matter, and an older list changes nothing.
 *
 * @param countMax reinstated releases are dropped first, then the oldest
 * @returns the list, oldest first
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { mergeWithdrawals } from "./withdrawals.ts";
 * const digest = `sha256:${"a".repeat(64)}` as const;
 * const withdrawn = { digest, state: "withdrawn", at: "2026-01-01T00:00:00Z" };
 * const undone = { digest, state: "reinstated", at: "2026-01-02T00:00:00Z" };
 * assert.deepEqual(mergeWithdrawals([undone], [withdrawn]), [undone]);
 * ```
 */
export function mergeWithdrawals<Entry extends Withdrawal>(
  a: readonly Entry[],
  b: readonly Entry[],
  countMax = WITHDRAWALS_MAX,
): readonly Entry[] {
  const latest = new Map<Digest, Entry>();
  for (const entry of [...a, ...b]) {
    const known = latest.get(entry.digest);
    if (known === undefined || isLater(entry, known)) latest.set(entry.digest, entry);
  }
  const sorted = [...latest.values()].sort((one, other) => timeOf(one) - timeOf(other));
  const kept = new Set([...sorted.filter(isNotWithdrawn), ...sorted.filter(isWithdrawn)].slice(-countMax));
  return sorted.filter((entry) => kept.has(entry));
}

/** Returns the entry that withdraws a release; `undefined` if it is not withdrawn. */
export function findWithdrawn(list: readonly Withdrawal[], digest: Digest): Withdrawn | undefined {
  return list.find((entry): entry is Withdrawn => entry.digest === digest && isWithdrawn(entry));
}

/**
 * Returns the list with a change. Its time is later than that of the release's entry, whatever the clock says, so that it
 * counts on every client.
 *
 * @returns `undefined` if the list says the same already
 */
export function withWithdrawal(
  list: readonly Withdrawal[],
  { digest, state, reason }: WithdrawalChange,
  now: Date,
): readonly Withdrawal[] | undefined {
  const before = list.find((entry) => entry.digest === digest);
  if (before?.state === state && (reason === undefined || reason === before.reason)) return undefined;
  const at = Math.max(now.getTime(), before === undefined ? 0 : timeOf(before) + 1_000);
  const entry = { digest, state, at: isoSeconds(new Date(at)), ...(reason === undefined ? {} : { reason }) };
  return mergeWithdrawals(list, [entry]);
}

/** Whether two lists say the same. */
export function isSameList(a: readonly Withdrawal[], b: readonly Withdrawal[]): boolean {
  const text = (list: readonly Withdrawal[]) =>
    JSON.stringify(list.map(({ digest, state, at, reason }) => [digest, state, at, reason]));
  return text(mergeWithdrawals(a, [])) === text(mergeWithdrawals(b, []));
}

/** Returns when and why a release was withdrawn: `at 2026-01-01T00:00:00Z (wrong labels)`. */
export function withdrawnWords({ at, reason }: Pick<Withdrawal, "at" | "reason">): string {
  return `at ${at}${reason === undefined ? "" : ` (${reason})`}`;
}

/**
 * Refuses to publish a withdrawn release, such as the same models again.
 *
 * @throws {RefusedError} code `WITHDRAWN`
 */
export function refuseWithdrawnModels(list: readonly Withdrawal[], digest: Digest, models: string): void {
  const withdrawn = findWithdrawn(list, digest);
  if (withdrawn === undefined) return;
  const name = shortDigest(digest);
  throw new RefusedError(
    `Cannot make a release of ${models}: it holds release ${name}, which was withdrawn ${
      withdrawnWords(withdrawn)
    }`,
    {
      code: WITHDRAWN,
      hint: `train other models, or allow the release again: model-sync withdraw ${name} --undo`,
    },
  );
}

/** The code of every error about a withdrawn release. */
export const WITHDRAWN = "WITHDRAWN";

function isWithdrawn({ state }: Withdrawal): boolean {
  return state === "withdrawn";
}

function isNotWithdrawn(entry: Withdrawal): boolean {
  return !isWithdrawn(entry);
}

function isLater(a: Withdrawal, b: Withdrawal): boolean {
  return timeOf(a) > timeOf(b) || (timeOf(a) === timeOf(b) && isWithdrawn(a) && !isWithdrawn(b));
}

function timeOf({ at }: Withdrawal): number {
  return Date.parse(at);
}
