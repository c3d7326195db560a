/**
 * Returns a part of a width as an SVG length. Marks are placed in percent and text keeps its size, so that a chart is
 * legible at any width without a style of its own.
 *
 * @param part from 0 to 1; what lies beyond is cut off
 */
export function percent(part: number): string {
  return `${Number((Math.min(1, Math.max(0, part)) * 100).toFixed(2))}%`;
}
