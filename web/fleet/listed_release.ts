import type { PublishedRelease } from "../store/read_releases.ts";
import type { ActivePeriod } from "../store/read_activations.ts";
import type { NodeView } from "./node_view.ts";
import { reachOf, type ReleaseReach } from "./release_reach.ts";

/** A period in which a release was active on a node. */
export interface Presence {
  readonly from: Date;
  /** `null` while the release is active. */
  readonly until: Date | null;
}

/** A release as a list shows it. */
export interface ListedRelease extends PublishedRelease {
  readonly reach: ReleaseReach;
  /** Its periods on all consumers. */
  readonly presences: readonly Presence[];
  /** Whether it is its publisher's newest release. */
  readonly isNewest: boolean;
}

/** Consumers with their periods. */
export interface ConsumerPeriods {
  readonly consumers: readonly NodeView[];
  readonly periods: ReadonlyMap<string, readonly ActivePeriod[]>;
}

/** Returns releases with where and when each one was active. */
export function listReleases(
  releases: readonly PublishedRelease[],
  { consumers, periods }: ConsumerPeriods,
  newest: ReadonlySet<string>,
): ListedRelease[] {
  const presences = presencesByDigest(consumers, periods);
  return releases.map((release) => {
    const { row: { digest }, publications } = release;
    const publishers = new Set(publications.map(({ node }) => node));
    return {
      ...release,
      reach: reachOf(digest, consumers, periods, publishers),
      presences: presences.get(digest) ?? [],
      isNewest: newest.has(digest),
    };
  });
}

function presencesByDigest(
  consumers: readonly NodeView[],
  periods: ReadonlyMap<string, readonly ActivePeriod[]>,
): ReadonlyMap<string, readonly Presence[]> {
  const presences = new Map<string, Presence[]>();
  for (const { row: { node } } of consumers) {
    for (const { digest, at, until } of periods.get(node) ?? []) {
      const own = presences.get(digest) ?? [];
      own.push({ from: new Date(at), until: until === null ? null : new Date(until) });
      presences.set(digest, own);
    }
  }
  return presences;
}
