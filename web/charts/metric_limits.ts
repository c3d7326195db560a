import { isZero } from "../../lib/canary/judge.ts";
import type { MetricCourse } from "../store/rows.ts";

/** A line that a metric's course is compared with. */
export interface MetricLimit {
  readonly kind: "baseline" | "limit" | "catastrophic";
  readonly label: string;
  readonly value: number;
  /** Whether a value is worse than the limit allows; never for the baseline. */
  readonly isBeyond: (value: number) => boolean;
}

/** Returns the lines that a canary's metric is compared with; limits only where its better direction is known. */
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
