import type { Activation } from "../store/rows.ts";

/** A period in which one release was active. */
export interface BandSegment {
  readonly digest: Activation["digest"];
  readonly sequence: number | undefined;
  readonly from: Date;
  readonly to: Date;
  /** Whether the node rolled back from it, or quarantined it later. */
  readonly fate: "kept" | "rolled-back" | "quarantined";
}

/**
 * Returns the periods of a node's releases, oldest first, from its activations in any order. Periods are cut at the
 * span. Activating the active release again changes nothing.
 */
export function bandSegments(
  activations: readonly Activation[],
  from: Date,
  to: Date,
  quarantined: ReadonlySet<string> = new Set(),
): readonly BandSegment[] {
  const ordered = activations.toSorted((one, other) => Date.parse(one.at) - Date.parse(other.at));
  const segments: BandSegment[] = [];
  for (const [index, { digest, sequence, at }] of ordered.entries()) {
    const next = ordered[index + 1];
    const begin = new Date(Math.max(Date.parse(at), from.getTime()));
    const end = new Date(Math.min(next === undefined ? to.getTime() : Date.parse(next.at), to.getTime()));
    if (!(end.getTime() > begin.getTime())) continue;
    const wasLeft = next?.outcome === "rolled-back" && next.digest !== digest;
    const fate = wasLeft ? "rolled-back" : quarantined.has(digest) ? "quarantined" : "kept";
    const before = segments.at(-1);
    if (before?.digest === digest && before.to.getTime() === begin.getTime()) {
      segments[segments.length - 1] = { ...before, to: end, fate };
    } else {
      segments.push({ digest, sequence, from: begin, to: end, fate });
    }
  }
  return segments;
}
