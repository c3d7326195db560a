import type { ActivePeriod } from "../store/read_activations.ts";
import type { ReleaseName } from "../store/rows.ts";
import type { NodeView } from "./node_view.ts";
import type { Tone } from "./tone.ts";

/** Where a release is and was active. Every consumer counts once, under its most urgent state. */
export interface ReleaseReach {
  /** Nodes where it is active. */
  readonly active: readonly string[];
  /** Those of them where it is in canary. */
  readonly inCanary: readonly string[];
  /** Nodes that rolled back from it. */
  readonly rolledBack: readonly string[];
  /** Nodes that quarantined it and did not roll back from it. */
  readonly quarantined: readonly string[];
  /** Nodes where another release replaced it. */
  readonly replaced: readonly string[];
  /** Number of consumers of its model set; 0 if unknown. */
  readonly consumers: number;
}

/** States of canaries without a verdict. */
export const OPEN_CANARY: readonly string[] = ["watching", "paused"];

/**
 * Returns where a release is and was active.
 *
 * @param consumers the consumers of the fleet
 * @param periods the periods by node
 * @param publishers the nodes that published the release
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

/** A reach in words, with the tone of its most urgent part. */
export interface ReachWords {
  readonly tone: Tone;
  /** Where the release is now: `active on 4 of 6`. */
  readonly now: string;
  /** The rest: `rolled back on 1, previously on 2`. */
  readonly rest: string;
}

/**
 * Returns a reach in words.
 *
 * @param isNewest whether it is the newest release of its publisher
 * @param isWithdrawn whether its publisher withdrew it
 */
export function reachWords(reach: ReleaseReach, isNewest: boolean, isWithdrawn = false): ReachWords {
  const words = wordsOf(reach, isNewest);
  if (!isWithdrawn) return words;
  if (reach.active.length > 0) return { ...words, tone: "bad", now: `withdrawn, still ${words.now}` };
  const rest = [words.now, words.rest].filter((text) => text !== "").join(", ");
  return { tone: "warn", now: "withdrawn", rest };
}

function wordsOf(reach: ReleaseReach, isNewest: boolean): ReachWords {
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
      ...(replaced.length > 0 ? [`previously on ${replaced.length}`] : []),
    ];
    const isCanary = inCanary.length === active.length;
    return {
      tone: refusals.length > 0 ? "warn" : isCanary ? "calm" : "good",
      now: `${isCanary ? "in canary" : "active"} on ${where}`,
      rest: rest.join(", "),
    };
  }
  const earlier = replaced.length > 0 ? [`previously on ${replaced.length}`] : [];
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
