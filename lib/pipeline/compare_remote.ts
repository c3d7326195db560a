import type { KnownRelease } from "../status/known_releases.ts";
import type { RemoteRelease } from "./read_remote.ts";

type Compared = "digest" | "sequence" | "carrier" | "revision";

/** How the newest release of a source relates to the release here. */
export interface RemoteLag {
  /** `unknown`: their order shows only after a pull. */
  readonly relation: "same" | "newer" | "older" | "unknown";
  /** How many publishes the release here is behind; `null` where sequences do not count publishes. */
  readonly sequencesBehind: number | null;
}

/**
 * Compares the newest release of a source with the release here: the active one, or on a trainer the published one.
 *
 * @param here `undefined` where there is none
 */
export function compareRemote(
  remote: Pick<RemoteRelease, Compared>,
  here: Pick<KnownRelease, Compared> | undefined,
): RemoteLag {
  if (here === undefined) return { relation: "unknown", sequencesBehind: null };
  const { digest, sequence, carrier, revision } = remote;
  if (digest === here.digest || (digest === null && revision === here.revision)) {
    return { relation: "same", sequencesBehind: 0 };
  }
  if (here.carrier === carrier && here.revision !== null) {
    const order = compareRuns(revision, here.revision);
    if (order !== undefined) return { relation: order > 0 ? "newer" : "older", sequencesBehind: null };
  }
  // Sequence 0 orders nothing: the registry has no manifest. Carriers count in different ways.
  if (!sequence || !here.sequence || here.carrier !== carrier) {
    return { relation: "unknown", sequencesBehind: null };
  }
  const behind = sequence - here.sequence;
  if (behind === 0) return { relation: "unknown", sequencesBehind: 0 };
  return { relation: behind > 0 ? "newer" : "older", sequencesBehind: Math.max(0, behind) };
}

/** An attempt of a workflow run, as `github-actions` names revisions. */
const RUN_ATTEMPT = /^(\d{1,15})\.(\d{1,6})$/;

/** Returns the order of two workflow runs, whose numbers grow; `undefined` for revisions without an order. */
function compareRuns(one: string, other: string): number | undefined {
  const [, run, attempt] = RUN_ATTEMPT.exec(one) ?? [];
  const [, otherRun, otherAttempt] = RUN_ATTEMPT.exec(other) ?? [];
  if (run === undefined || otherRun === undefined) return undefined;
  return Number(run) - Number(otherRun) || Number(attempt) - Number(otherAttempt);
}
