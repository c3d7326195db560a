// @ts-types="@types/d3-scale"
import { scaleLinear } from "d3-scale";

/** A step of a run; steps may overlap. */
export interface Step {
  readonly name: string;
  readonly startMs: number;
  readonly durationMs: number;
}

/** Where the steps of a run stand on an axis. */
export interface StepScale {
  /** Returns where a moment of the run stands, from 0 to 1. */
  readonly part: (ms: number) => number;
  /** Whether long spans are drawn shorter than they were, so that short steps are seen beside them. */
  readonly isCompressed: boolean;
}

/** A step that took less than this part of a run would be a dot. */
const SEEN_PART = 0.02;

/**
 * Returns a scale for the steps of a run. Where one step took nearly all the time, each span between two beginnings or
 * ends gets a width by the fourth root of its length: what came before what, and at the same time, stays visible.
 */
export function stepScale(steps: readonly Step[]): StepScale {
  const moments = [
    ...new Set([0, ...steps.flatMap(({ startMs, durationMs }) => [startMs, startMs + durationMs])]),
  ]
    .sort((one, other) => one - other);
  const end = moments.at(-1) ?? 0;
  if (end <= 0) return { part: () => 0, isCompressed: false };
  const seen = steps.filter(({ durationMs }) => durationMs >= end * SEEN_PART).length;
  const isCompressed = steps.length > 2 && seen < steps.length / 2;
  if (!isCompressed) {
    const scale = scaleLinear([0, end], [0, 1]);
    return { part: (ms) => scale(ms), isCompressed };
  }
  const widths = moments.slice(1).map((moment, index) => (moment - (moments[index] ?? 0)) ** 0.25);
  const total = widths.reduce((sum, width) => sum + width, 0);
  let at = 0;
  const places = [0, ...widths.map((width) => (at += width) / total)];
  const scale = scaleLinear(moments, places);
  return { part: (ms) => scale(ms), isCompressed };
}
