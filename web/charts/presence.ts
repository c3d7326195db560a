// @ts-types="@types/d3-shape"
import { area, curveStepAfter } from "d3-shape";
import type { Presence } from "../fleet/listed_release.ts";
import { partOf, type Span } from "./time_axis.ts";

/** The number of nodes on which a release was active, from a time on. */
export interface PresenceStep {
  readonly at: Date;
  readonly count: number;
}

/**
 * Returns the number of nodes on which a release was active over a span: a step for each change, and one at each end.
 */
export function presenceSteps(presences: readonly Presence[], { from, to }: Span): readonly PresenceStep[] {
  const changes: { readonly ms: number; readonly by: number }[] = [];
  for (const presence of presences) {
    const begin = Math.max(presence.from.getTime(), from.getTime());
    const end = Math.min(presence.until?.getTime() ?? Infinity, to.getTime());
    if (!(end > begin)) continue;
    changes.push({ ms: begin, by: 1 }, { ms: end, by: -1 });
  }
  changes.sort((a, b) => a.ms - b.ms);
  const steps: PresenceStep[] = [{ at: from, count: 0 }];
  for (const { ms, by } of changes) {
    const last = steps.at(-1);
    const count = (last?.count ?? 0) + by;
    // A release that is active at the end of the span continues: no step there.
    if (ms === to.getTime()) continue;
    if (last?.at.getTime() === ms) steps[steps.length - 1] = { at: last.at, count };
    else steps.push({ at: new Date(ms), count });
  }
  const count = steps.at(-1)?.count ?? 0;
  return [...steps, { at: to, count }];
}

/** The minimum height in pixels, so that one node among many stays visible. */
const SEEN = 3;

/**
 * Returns the steps as the path of an area of the given size; empty if nothing was active.
 *
 * @param most the count that fills the height
 */
export function presencePath(
  steps: readonly PresenceStep[],
  span: Span,
  most: number,
  { width, height }: { readonly width: number; readonly height: number },
): string {
  if (!steps.some(({ count }) => count > 0)) return "";
  const tall = (count: number) =>
    count === 0 ? 0 : SEEN + (height - SEEN) * Math.min(1, count / Math.max(1, most));
  const places = steps.map(({ at, count }) => ({
    x: half(partOf(span, at) * width),
    y: half(height - tall(count)),
  }));
  // If many changes fall into one pixel, the last one counts.
  const seen = places.filter(({ x }, index) => places[index + 1]?.x !== x);
  const turns = seen.filter(({ y }, index) =>
    index === 0 || index === seen.length - 1 || seen[index - 1]?.y !== y
  );
  const path = area<{ readonly x: number; readonly y: number }>().x(({ x }) => x).y0(height).y1(({ y }) => y)
    .curve(curveStepAfter)(turns);
  return path ?? "";
}

/** Rounds to half a pixel, which is as fine as a screen shows. */
function half(value: number): number {
  return Math.round(value * 2) / 2;
}
