import { isZero } from "../../lib/canary/judge.ts";
import type { MetricCourse } from "../store/rows.ts";

/** A line in the chart of a metric. */
export interface MetricLimit {
  readonly kind: "baseline" | "limit" | "catastrophic";
  readonly label: string;
  readonly value: number;
  /** Returns whether a value is worse than the limit; never for the baseline. */
  readonly isBeyond: (value: number) => boolean;
}

/** Returns the lines of a canary's metric. Limits are known only with the metric's direction. */
export function metricLimits(
  { baseline, direction, maxDegradation, catastrophic }: MetricCourse,
): readonly MetricLimit[] {
  const limits: MetricLimit[] = [];
  if (baseline !== null) {
    limits.push({ kind: "baseline", label: "baseline", value: baseline, isBeyond: () => false });
  }
  if (direction !== "higher" && direction !== "lower") return limits;
  const isBeyond = (limit: number) => (value: number) =>
    direction === "higher" ? value < limit : value > limit;
  if (baseline !== null && maxDegradation !== null) {
    const room = isZero(baseline) ? maxDegradation : maxDegradation * Math.abs(baseline);
    const value = direction === "higher" ? baseline - room : baseline + room;
    limits.push({ kind: "limit", label: "limit", value, isBeyond: isBeyond(value) });
  }
  if (catastrophic !== null) {
    limits.push({
      kind: "catastrophic",
      label: "catastrophic limit",
      value: catastrophic,
      isBeyond: isBeyond(catastrophic),
    });
  }
  return limits;
}
