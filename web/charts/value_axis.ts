// @ts-types="@types/d3-scale"
import { scaleLinear } from "d3-scale";
import { formatNumber } from "../../lib/canary/reading.ts";
import { formatBytes, formatDuration } from "../../lib/core/format.ts";
import type { Tick } from "./time_axis.ts";

/** The unit of a chart's values. */
export type Unit = "duration" | "bytes";

/** An axis of values that starts at 0. */
export interface ValueAxis {
  /** Where the axis ends. */
  readonly top: number;
  readonly ticks: readonly Tick[];
  /** Returns the position of a value, from 0 at the bottom to 1 at the top. */
  readonly part: (value: number) => number;
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Round distances between ticks. */
const DURATIONS = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 15, 30].map((step) => step * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((step) => step * MINUTE),
  ...[1, 2, 3, 6, 12].map((step) => step * HOUR),
  ...[1, 2, 7, 14, 30, 90, 365].map((step) => step * DAY),
];
const SIZES = [0, 1, 2, 3, 4].flatMap((power) =>
  [1, 2, 5, 10, 20, 50, 100, 200, 500].map((step) => step * 1024 ** power)
);

/** More lines would clutter a chart of this height. */
const TICKS_MAX = 4;

/** Returns an axis for values from 0 to the largest, with round ticks. */
export function valueAxis(largest: number, unit: Unit): ValueAxis {
  const steps = unit === "duration" ? DURATIONS : SIZES;
  const step = steps.find((step) => largest / step <= TICKS_MAX) ?? Math.max(1, largest / TICKS_MAX);
  const count = Math.max(1, Math.ceil(largest / step));
  const top = count * step;
  const scale = scaleLinear([0, top], [0, 1]);
  const ticks = Array.from({ length: count + 1 }, (_, index) => ({
    part: scale(index * step),
    label: index === 0 ? "0" : tickLabel(index * step, unit),
  }));
  return { top, ticks, part: (value) => scale(value) };
}

/** Returns `5 s` instead of `5.0 s`, because ticks are round. */
function tickLabel(value: number, unit: Unit): string {
  return formatValue(value, unit).replace(".0 ", " ");
}

/** Returns a value with its unit. */
export function formatValue(value: number, unit: Unit): string {
  return unit === "duration" ? formatDuration(value) : formatBytes(value);
}

/** The axis of a metric, which may have any value. */
export interface MetricAxis {
  readonly ticks: readonly Tick[];
  readonly part: (value: number) => number;
}

/** Larger values would overflow when they are subtracted. */
const FINITE_MAX = 1e300;

/** Returns an axis that contains all values, with a margin. */
export function metricAxis(values: readonly number[]): MetricAxis {
  const cut = values.map((value) => Math.min(FINITE_MAX, Math.max(-FINITE_MAX, value)));
  // Not `Math.min(...cut)`: a call has no room for that many arguments.
  let least = cut[0] ?? 0;
  let largest = least;
  for (const value of cut) {
    least = Math.min(least, value);
    largest = Math.max(largest, value);
  }
  const air = largest > least ? (largest - least) * 0.08 : Math.abs(largest) * 0.1 || 1;
  const scale = scaleLinear([least - air, largest + air], [0, 1]);
  const ticks = scale.ticks(TICKS_MAX).map((value) => ({ part: scale(value), label: metricLabel(value) }));
  return { ticks, part: (value) => scale(Math.min(FINITE_MAX, Math.max(-FINITE_MAX, value))) };
}

/** Returns a number for a label; long ones have an exponent. */
export function metricLabel(value: number): string {
  const text = formatNumber(value);
  return (text.length <= 7 ? text : Number(text).toExponential(1)).replace("e+", "e");
}
