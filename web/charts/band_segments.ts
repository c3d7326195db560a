import type { Activation } from "../store/rows.ts";

/** A time during which one release was active. */
export interface BandSegment {
  readonly digest: Activation["digest"];
  readonly sequence: number | undefined;
  readonly from: Date;
  readonly to: Date;
  /** Whether the node rolled back from it, or it was quarantined there since. */
  readonly fate: "kept" | "rolled-back" | "quarantined";
}

/**
 * Returns which release was active when, oldest first, from the activations of a node in any order. One that a span
 * begins with is cut at its start; an activation of what is active already changes nothing.
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
