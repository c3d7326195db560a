import type { ActivePeriod } from "../store/read_activations.ts";
import type { ReleaseName } from "../store/rows.ts";
import type { NodeView } from "./node_view.ts";
import type { Tone } from "./tone.ts";

/** Where a release is and was active. Every consumer counts once: as what is most urgent to know. */
export interface ReleaseReach {
  /** Nodes on which it is active. */
  readonly active: readonly string[];
  /** Those of them that watch it by a canary. */
  readonly inCanary: readonly string[];
  /** Nodes that rolled back from it. */
  readonly rolledBack: readonly string[];
  /** Nodes that keep it in quarantine and did not roll back from it. */
  readonly quarantined: readonly string[];
  /** Nodes on which another release took its place. */
  readonly replaced: readonly string[];
  /** Consumers of its model set; 0 where that is unknown. */
  readonly consumers: number;
}

/** Canaries that have no verdict. */
export const OPEN_CANARY: readonly string[] = ["watching", "paused"];

/**
 * Returns where a release is and was active.
 *
 * @param consumers the consumers of the fleet
 * @param periods what was active, by node
 * @param publishers who published it
 */
export function reachOf(
  digest: ReleaseName["digest"],
  consumers: readonly NodeView[],
  periods: ReadonlyMap<string, readonly ActivePeriod[]>,
  publishers: ReadonlySet<string>,
): ReleaseReach {
  const active: string[] = [];
  const inCanary: string[] = [];
  const rolledBack: string[] = [];
  const quarantined: string[] = [];
  const replaced: string[] = [];
  let ofSet = 0;
  for (const { row: { node, active: current, report }, lag } of consumers) {
    const own = periods.get(node)?.filter((period) => period.digest === digest) ?? [];
    const isActive = current?.digest === digest;
    if (isActive || own.length > 0 || (lag !== null && publishers.has(lag.publisher))) ofSet++;
    if (isActive) {
      active.push(node);
      const canary = report?.canary;
      if (canary?.digest === digest && OPEN_CANARY.includes(canary.status)) inCanary.push(node);
    } else if (own.at(-1)?.next?.outcome === "rolled-back") rolledBack.push(node);
    else if (report?.quarantine.includes(digest)) quarantined.push(node);
    else if (own.length > 0) replaced.push(node);
  }
  return { active, inCanary, rolledBack, quarantined, replaced, consumers: ofSet };
}

/** A reach in words, with the tone of what is most urgent. */
export interface ReachWords {
  readonly tone: Tone;
  /** Where it is now: `active on 4 of 6`. */
  readonly now: string;
  /** The rest: `rolled back on 1, earlier on 2`. */
  readonly rest: string;
}

/** Returns a reach in words. @param isNewest whether nothing was published after it */
export function reachWords(reach: ReleaseReach, isNewest: boolean): ReachWords {
  const { active, inCanary, rolledBack, quarantined, replaced, consumers } = reach;
  const refusals = [
    ...(rolledBack.length > 0 ? [`rolled back on ${rolledBack.length}`] : []),
    ...(quarantined.length > 0 ? [`quarantined on ${quarantined.length}`] : []),
  ];
  const of = consumers > active.length ? ` of ${consumers}` : "";
  if (active.length > 0) {
    const where = consumers > 1 && active.length === consumers ? `all ${consumers}` : `${active.length}${of}`;
    const rest = [
      ...(inCanary.length > 0 && inCanary.length < active.length ? [`in canary on ${inCanary.length}`] : []),
      ...refusals,
      ...(replaced.length > 0 ? [`earlier on ${replaced.length}`] : []),
    ];
    const isCanary = inCanary.length === active.length;
    return {
      tone: refusals.length > 0 ? "warn" : isCanary ? "calm" : "good",
      now: `${isCanary ? "in canary" : "active"} on ${where}`,
      rest: rest.join(", "),
    };
  }
  const earlier = replaced.length > 0 ? [`earlier on ${replaced.length}`] : [];
  if (refusals.length > 0) {
    return {
      tone: rolledBack.length > 0 ? "bad" : "warn",
      now: refusals.join(", "),
      rest: earlier.join(", "),
    };
  }
  if (earlier.length > 0) return { tone: "quiet", now: "replaced", rest: earlier.join(", ") };
  return { tone: "quiet", now: isNewest ? "not active yet" : "never active", rest: "" };
}
