import type { NamedRelease, WithdrawalResult, WithdrawalTarget } from "../carriers/withdrawal_target.ts";
import type { Context } from "../core/context.ts";
import { ModelSyncError, RefusedError, UsageError } from "../core/errors.ts";
import { Digest, shortDigest, type Withdrawal, WithdrawalReason } from "../release/manifest.ts";
import { DIGEST_PREFIX, PREFIX_DIGITS_MIN } from "../release/match_digest.ts";
import { mergeWithdrawals, type WithdrawalChange, withWithdrawal } from "../release/withdrawals.ts";
import { HISTORY_LOOKBACK, readHistory } from "../store/history.ts";
import type { Store } from "../store/store.ts";
import { learnWithdrawals, nextWithdrawals } from "../store/withdrawals.ts";
import type { Steps } from "./current_run.ts";
import type { RunReport } from "./run_report.ts";

/** The operator's wish for a release. */
export interface WantedWithdrawal {
  /** As typed: a digest, the beginning of one, a sequence number, or `active` for the newest of the registry. */
  readonly release: string;
  readonly state: WithdrawalChange["state"];
  readonly reason: string | undefined;
}

export interface WithdrawReport extends RunReport {
  readonly outcome: "withdrawn" | "reinstated" | "unchanged";
  readonly withdrawal: Withdrawal;
  /** The registries, in the order in which they were changed. None: only the archives of `train` carry the change. */
  readonly registries: readonly WithdrawalResult[];
}

/** A withdrawal that is about to be published. */
export interface WithdrawalPlan {
  readonly change: WithdrawalChange;
  /** Everything that this machine knows, with the change. */
  readonly known: readonly Withdrawal[];
  /** The entry of the release. */
  readonly withdrawal: Withdrawal;
  /** Whether this machine or a registry does not know the change yet. */
  readonly isNew: boolean;
}

/**
 * Withdraws a release, or ends its withdrawal. The store notes the change first: if a registry cannot be changed, the
 * next publish carries it, and the archives of `train` carry it in any case. A registry that cannot be changed does not
 * keep the others from being changed.
 *
 * @throws {UsageError} codes `RELEASE_INVALID`, `RELEASE_AMBIGUOUS`, `RELEASE_RESTORED`, `NOT_WITHDRAWN`;
 * {@link RefusedError} code `RELEASE_MISSING`; the first error of a registry
 */
export async function withdraw(
  context: Context,
  store: Store,
  run: Steps,
  targets: readonly WithdrawalTarget[],
  wanted: WantedWithdrawal,
): Promise<WithdrawReport> {
  const plan = await run.step("resolve", () => planWithdrawal(context, store, targets, wanted));
  const { change, known, withdrawal } = plan;
  learnWithdrawals(store, known);
  const registries: WithdrawalResult[] = [];
  const failures: ModelSyncError[] = [];
  for (const target of targets) {
    try {
      registries.push(await run.step("publish", () => target.publish(change, known)));
    } catch (error) {
      if (!(error instanceof ModelSyncError) || context.signal.aborted) throw error;
      if (failures.length > 0) context.log.error(error.message);
      failures.push(error);
    }
  }
  const [failure] = failures;
  if (failure !== undefined) {
    failure.addHint(restHint(change, registries));
    throw failure;
  }
  const isChanged = plan.isNew || registries.some(({ outcome }) => outcome === "published");
  const [first] = registries;
  return {
    outcome: isChanged ? change.state : "unchanged",
    withdrawal,
    registries,
    ...(first === undefined ? {} : describe(first)),
  };
}

/** Returns what a failed withdrawal has done, and what completes it. */
function restHint({ digest, state }: WithdrawalChange, [done]: readonly WithdrawalResult[]): string {
  const again = `model-sync withdraw ${shortDigest(digest)}${state === "reinstated" ? " --undo" : ""}`;
  return done === undefined
    ? "this machine has noted the change, and its next publish carries it"
    : `${done.target} has the change; the other registry gets it with ${again}, or with the next publish`;
}

/** Returns the record's fields about the registry. */
function describe(
  { carrier, release, replaced, sequence, files, signer, commit }: WithdrawalResult,
): Omit<RunReport, "outcome" | "withdrawal"> {
  return {
    carrier,
    release,
    sequence,
    files,
    ...(replaced === undefined ? {} : { previous: replaced }),
    ...(signer === undefined ? {} : { signer }),
    ...(commit === undefined ? {} : { revision: commit }),
  };
}

/** Finds the release and decides about the change. Changes nothing. @throws as {@link withdraw} */
export async function planWithdrawal(
  { clock }: Pick<Context, "clock">,
  store: Store | undefined,
  targets: readonly WithdrawalTarget[],
  { release, state, reason }: WantedWithdrawal,
): Promise<WithdrawalPlan> {
  const digest = await findRelease(store, targets, release);
  if (release === "active" && state === "withdrawn") refuseRestored(store, digest);
  const text = reason === undefined ? "" : WithdrawalReason.parse(reason);
  const own = nextWithdrawals(store);
  const before = targets.reduce<readonly Withdrawal[]>(
    (list, target) => mergeWithdrawals(list, target.withdrawals),
    own,
  );
  const change = { digest, state, ...(text === "" ? {} : { reason: text }) };
  if (state === "reinstated" && !before.some((entry) => entry.digest === digest)) throw notWithdrawn(digest);
  const known = withWithdrawal(before, change, clock.now()) ?? before;
  const withdrawal = known.find((entry) => entry.digest === digest);
  if (withdrawal === undefined) throw new TypeError("a change that is not in the list");
  return {
    change,
    known,
    withdrawal,
    isNew: !own.some(({ at, ...entry }) => entry.digest === digest && at === withdrawal.at),
  };
}

/** Returns whether a release is the typed one. */
type Test = (release: NamedRelease) => boolean;

async function findRelease(
  store: Store | undefined,
  targets: readonly WithdrawalTarget[],
  typed: string,
): Promise<Digest> {
  if (typed === "active") return onlyOne(typed, newestReleases(store, targets));
  const whole = Digest.safeParse((typed.startsWith("sha256:") ? typed : `sha256:${typed}`).toLowerCase());
  if (whole.success) return whole.data;
  for (const test of testsOf(typed)) {
    const found = new Set<Digest>();
    for (const target of targets) {
      const digest = await findIn(target, test);
      if (digest !== undefined) found.add(digest);
    }
    if (found.size === 0) { for (const digest of findHere(store, test)) found.add(digest); }
    if (found.size > 0) return onlyOne(typed, found);
  }
  return onlyOne(typed, new Set());
}

/** Digits alone are a sequence number first, as for a rollback. @throws {UsageError} code `RELEASE_INVALID` */
function testsOf(typed: string): Test[] {
  const prefix = DIGEST_PREFIX.exec(typed)?.[1]?.toLowerCase();
  const isNumber = /^\d{1,16}$/.test(typed);
  if (prefix === undefined && !isNumber) {
    throw new UsageError(
      `Cannot withdraw "${typed}": it is neither "active", nor a sequence number, nor the beginning of a digest, ` +
        `which has ${PREFIX_DIGITS_MIN} to 64 hexadecimal digits`,
      { code: "RELEASE_INVALID", hint: "run model-sync status: it lists the published releases" },
    );
  }
  return [
    ...(isNumber ? [({ sequence }: NamedRelease) => sequence === Number(typed)] : []),
    ...(prefix === undefined ? [] : [({ digest }: NamedRelease) => digest.startsWith(`sha256:${prefix}`)]),
  ];
}

async function findIn(target: WithdrawalTarget, test: Test): Promise<Digest | undefined> {
  const near: readonly NamedRelease[] = [
    target.newest,
    ...target.withdrawals.map(({ digest }) => ({ digest })),
  ];
  return near.find(test)?.digest ?? await target.find(test);
}

/** Returns the releases that this machine published, archived or knows to be withdrawn. */
function findHere(store: Store | undefined, test: Test): Set<Digest> {
  const known = nextWithdrawals(store).map(({ digest }): NamedRelease => ({ digest }));
  return new Set([...publishedHere(store), ...known].filter(test).map(({ digest }) => digest));
}

/** Newest first. */
function publishedHere(store: Store | undefined): NamedRelease[] {
  if (store === undefined) return [];
  return readHistory(store, HISTORY_LOOKBACK).flatMap(({ outcome, release, sequence }) =>
    (outcome === "published" || outcome === "trained") && release !== undefined
      ? [{ digest: release, sequence }]
      : []
  );
}

function newestReleases(
  store: Store | undefined,
  targets: readonly WithdrawalTarget[],
): Set<Digest> {
  if (targets.length > 0) return new Set(targets.map(({ newest }) => newest.digest));
  return new Set(publishedHere(store).slice(0, 1).map(({ digest }) => digest));
}

/**
 * Refuses `active` for the release that took the place of the one withdrawn before it: a repeated command would withdraw
 * the good release, too.
 *
 * @throws {UsageError} code `RELEASE_RESTORED`
 */
function refuseRestored(store: Store | undefined, digest: Digest): void {
  const runs = store === undefined ? [] : readHistory(store, HISTORY_LOOKBACK);
  const last = runs.find(({ outcome }) => outcome === "published" || outcome === "withdrawn");
  if (last?.outcome !== "withdrawn" || last.release !== digest || last.previous === undefined) return;
  const name = shortDigest(digest);
  throw new UsageError(
    `Cannot withdraw "active": the newest release ${name} took the place of ${
      shortDigest(last.previous)
    }, which was withdrawn at ${last.startedAt}`,
    { code: "RELEASE_RESTORED", hint: `to withdraw ${name}, too: model-sync withdraw ${name}` },
  );
}

/** @throws {UsageError} code `RELEASE_AMBIGUOUS`; {@link RefusedError} code `RELEASE_MISSING` */
function onlyOne(typed: string, found: ReadonlySet<Digest>): Digest {
  const [only, ...others] = found;
  if (only !== undefined && others.length === 0) return only;
  if (only === undefined) {
    throw new RefusedError(`Cannot withdraw "${typed}": no published release has this name`, {
      code: "RELEASE_MISSING",
      hint: "name it by its whole digest, with 64 hexadecimal digits: then it need not be known here",
    });
  }
  throw new UsageError(`Cannot withdraw "${typed}": it names different releases in different registries`, {
    code: "RELEASE_AMBIGUOUS",
    hint: `name one by its digest: ${[...found].map(shortDigest).join(", ")}`,
  });
}

function notWithdrawn(digest: Digest): UsageError {
  return new UsageError(`Cannot end the withdrawal of ${shortDigest(digest)}: the release is not withdrawn`, {
    code: "NOT_WITHDRAWN",
    hint: "run model-sync status on a client: it lists the withdrawn releases",
  });
}
