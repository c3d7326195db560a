// @ts-types="@types/d3-scale"
import { scaleLinear } from "d3-scale";

/** A step of a run; steps may overlap. */
export interface Step {
  readonly name: string;
  readonly startMs: number;
  readonly durationMs: number;
}

/** The scale of a run's steps. */
export interface StepScale {
  /** Returns the position of a moment of the run, from 0 to 1. */
  readonly part: (ms: number) => number;
  /** Whether long spans are shortened so that short steps stay visible. */
  readonly isCompressed: boolean;
}

/** Shorter fractions of a run would be drawn as a dot. */
const SEEN_PART = 0.02;

/**
 * Returns a scale for the steps of a run. If one step took nearly all the time, each span between two starts or ends
 * gets a width by the fourth root of its length: the order and overlaps of steps stay visible.
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
