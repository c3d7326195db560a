import { isoSeconds } from "../core/clock.ts";
import { RefusedError } from "../core/errors.ts";
import { Digest, shortDigest } from "../release/manifest.ts";
import { WITHDRAWN, withdrawnWords } from "../release/withdrawals.ts";
import { matchRelease, type NamedReleases } from "../release/match_digest.ts";
import { addQuarantine, EVERY_SEQUENCE, liftQuarantine, readQuarantine } from "../store/quarantine.ts";
import { findRelease, releasesOf } from "../store/releases.ts";
import type { Store } from "../store/store.ts";
import { findWithdrawal, listWithdrawn } from "../store/withdrawals.ts";
import { type CommandScope, reportedRun } from "./reported_run.ts";
import type { Timed } from "./run_report.ts";

/** The report of a change of the quarantine. */
export interface QuarantineReport<Outcome extends string> {
  readonly outcome: Outcome;
  readonly release: Digest;
}

/**
 * Quarantines a release, as a recorded run: pulls refuse it from then on.
 *
 * @param typed a digest, which the store need not hold, or the sequence number or the beginning of one that it holds
 * @param reason for the list of quarantined releases
 */
export async function quarantineRelease(
  scope: CommandScope,
  store: Store,
  typed: string,
  reason: string | undefined,
): Promise<Timed<QuarantineReport<"quarantined">>> {
  const { clock } = scope.context;
  return await reportedRun(scope, store, "quarantine", () => {
    const { digest, sequence } = findUnwanted(store, typed);
    const at = isoSeconds(clock.now());
    addQuarantine(store, { digest, sequence, reason: reason ?? "quarantined by an operator", at });
    return Promise.resolve({ outcome: "quarantined" as const, release: digest });
  });
}

/**
 * Releases a release from quarantine, as a recorded run.
 *
 * @param typed the sequence number of a quarantined release, its digest, or the beginning of it
 */
export async function liftFromQuarantine(
  scope: CommandScope,
  store: Store,
  typed: string,
): Promise<Timed<QuarantineReport<"lifted">>> {
  return await reportedRun(scope, store, "quarantine", () => {
    const digest = matchRelease(typed, "lift the quarantine of", quarantined(store));
    refuseWithdrawn(store, digest);
    liftQuarantine(store, digest);
    return Promise.resolve({ outcome: "lifted" as const, release: digest });
  });
}

/** Returns the quarantined and the withdrawn releases. The store may know sequence numbers that the quarantine does not. */
function quarantined(store: Store): NamedReleases {
  const entries = readQuarantine(store);
  const digests = [...new Set([...entries, ...listWithdrawn(store)].map(({ digest }) => digest))];
  return {
    holder: "the quarantine",
    digests,
    numbered: () => [
      ...entries.filter(({ sequence }) => sequence !== EVERY_SEQUENCE),
      ...releasesOf(store).numbered().filter(({ digest }) => digests.includes(digest)),
    ],
  };
}

/** A pull would learn the withdrawal again, so lifting the quarantine has no effect. */
function refuseWithdrawn(store: Store, digest: Digest): void {
  const withdrawn = findWithdrawal(store, digest);
  if (withdrawn === undefined) return;
  const name = shortDigest(digest);
  throw new RefusedError(
    `Cannot lift the quarantine of ${name}: its publisher withdrew it ${withdrawnWords(withdrawn)}`,
    {
      code: WITHDRAWN,
      hint: `on the publisher: model-sync withdraw ${name} --undo; ` +
        `to activate it here anyway: model-sync rollback --to ${name} --force`,
    },
  );
}

/** The store knows the sequence of its own releases. Any other release is quarantined under every sequence. */
function findUnwanted(store: Store, typed: string): { digest: Digest; sequence: number } {
  const whole = Digest.safeParse(typed.startsWith("sha256:") ? typed : `sha256:${typed}`);
  const digest = whole.success ? whole.data : matchRelease(typed, "quarantine", releasesOf(store));
  const stored = findRelease(store, digest);
  const before = readQuarantine(store).find((entry) => entry.digest === digest);
  return { digest, sequence: stored?.manifest.sequence ?? before?.sequence ?? EVERY_SEQUENCE };
}
