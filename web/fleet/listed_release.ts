import { type Presence, type PresenceStep, presenceSteps } from "../charts/presence.ts";
import type { Span } from "../charts/time_axis.ts";
import type { PublishedRelease } from "../store/find_releases.ts";
import type { ActivePeriod } from "../store/read_activations.ts";
import type { NodeView } from "./node_view.ts";
import { reachOf, type ReleaseReach } from "./release_reach.ts";

/** A release as a list shows it. */
export interface ListedRelease extends PublishedRelease {
  readonly reach: ReleaseReach;
  /** On how many consumers it was active, over the time that the list shows. */
  readonly steps: readonly PresenceStep[];
  /** Whether its publisher has published nothing after it. */
  readonly isNewest: boolean;
}

/** Consumers and what was active on them. */
export interface ConsumerPeriods {
  readonly consumers: readonly NodeView[];
  readonly periods: ReadonlyMap<string, readonly ActivePeriod[]>;
}

/** Returns when a release was published, or else when it was first seen. */
export function publishedAt({ row, publications }: PublishedRelease): string {
  return newestPublication(publications)?.at ?? row.firstAt;
}

/** Returns the publication that was made last. */
export function newestPublication<Publication extends { readonly at: string }>(
  publications: readonly Publication[],
): Publication | undefined {
  return publications.toSorted((a, b) => b.at.localeCompare(a.at))[0];
}

/** Returns releases with where and when each was active. */
export function listReleases(
  releases: readonly PublishedRelease[],
  { consumers, periods }: ConsumerPeriods,
  span: Span,
  newest: ReadonlySet<string>,
): ListedRelease[] {
  const presences = presencesByDigest(consumers, periods);
  return releases.map((release) => {
    const { row: { digest }, publications } = release;
    const publishers = new Set(publications.map(({ node }) => node));
    return {
      ...release,
      reach: reachOf(digest, consumers, periods, publishers),
      steps: presenceSteps(presences.get(digest) ?? [], span),
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
