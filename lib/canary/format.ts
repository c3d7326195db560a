/** Statistics are read by people: four digits tell what there is to tell. */
const DIGITS = 4;

/** A value of a metric: `0.6123`, `1200`. */
export function formatNumber(value: number): string {
  return String(Number(value.toPrecision(DIGITS)));
}

/** A part of something as a percentage: `15 %`. */
export function formatPart(part: number): string {
  return `${Number((part * 100).toPrecision(DIGITS - 1))} %`;
}
