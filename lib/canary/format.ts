/** Statistics are read by people: four digits tell what there is to tell. */
const DIGITS = 4;

const MINUTE_MS = 60_000;

/** A value of a metric: `0.6123`, `1200`. */
export function formatNumber(value: number): string {
  return String(Number(value.toPrecision(DIGITS)));
}

/** A part of something as a percentage: `15 %`. */
export function formatPart(part: number): string {
  return `${Number((part * 100).toPrecision(DIGITS - 1))} %`;
}

/** A duration in the unit in which one would say it: `45 s`, `12.5 min`. */
export function formatDuration(durationMs: number): string {
  if (durationMs < MINUTE_MS) return `${Math.round(durationMs / 100) / 10} s`;
  return `${Math.round(durationMs / MINUTE_MS * 10) / 10} min`;
}
