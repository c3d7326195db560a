// @ts-types="@types/d3-scale"
import { scaleUtc } from "d3-scale";
import { clockOf, dayOfMonth, wallTime, zoneOffset } from "../shared/time_words.ts";

/** A label on an axis. */
export interface Tick {
  /** From 0 at the start of the axis to 1 at its end. */
  readonly part: number;
  readonly label: string;
}

/** The span of time of a chart. */
export interface Span {
  readonly from: Date;
  readonly to: Date;
}

const DAY = 86_400_000;

/** Returns the position of a time in a span, from 0 to 1. */
export function partOf(span: Span, at: Date): number {
  const length = span.to.getTime() - span.from.getTime();
  return length <= 0 ? 1 : (at.getTime() - span.from.getTime()) / length;
}

/**
 * Returns the labels of a time axis: round times in the reader's zone, approximately `count` of them. Spans of more
 * than two days are labelled with days.
 */
export function timeTicks(span: Span, zone: string, count: number): readonly Tick[] {
  const length = span.to.getTime() - span.from.getTime();
  if (length === 0) return [momentTick(wallTime(span.from, zone))];
  if (!(length > 0)) return [];
  // If the offset of the zone changes within the span, the span of the wall times differs by as much.
  const domain = [wallTime(span.from, zone), wallTime(span.to, zone)];
  const days = length / DAY;
  const walls = days > 2
    ? dayTicks(domain, Math.max(1, Math.ceil(days / count)))
    : scaleUtc().domain(domain).ticks(count);
  const ticks = walls.map((wall) => {
    const at = new Date(wall.getTime() - zoneOffset(wall.getTime() - zoneOffset(wall.getTime(), zone), zone));
    return { part: partOf(span, at), label: days > 2 ? dayOfMonth(wall) : clockLabel(wall) };
  }).filter(({ part }) => part >= 0 && part <= 1);
  return spaced(ticks, LEAST_SPACE / count);
}

/** Minimum distance of labels, as a fraction of the space for one label. */
const LEAST_SPACE = 0.7;

/** Returns the ticks that are far enough from the next one, starting with the last. */
function spaced(ticks: readonly Tick[], space: number): readonly Tick[] {
  const kept: Tick[] = [];
  for (const tick of ticks.toReversed()) {
    const next = kept[0];
    if (next === undefined || next.part - tick.part >= space) kept.unshift(tick);
  }
  return kept;
}

/** The label of a chart with a single moment, in the middle. */
function momentTick(wall: Date): Tick {
  return { part: 0.5, label: `${dayOfMonth(wall)}, ${clockOf(wall)}` };
}

/** Returns midnights at a distance of `every` days, up to the last day of the span. */
function dayTicks(domain: readonly Date[], every: number): Date[] {
  const [from = 0, to = 0] = domain.map((date) => date.getTime());
  const ticks: Date[] = [];
  for (let day = Math.floor(to / DAY) * DAY; day >= from; day -= every * DAY) ticks.unshift(new Date(day));
  return ticks;
}

/** Returns the time, or the day at midnight. */
function clockLabel(wall: Date): string {
  return wall.getTime() % DAY === 0 ? dayOfMonth(wall) : clockOf(wall);
}

/**
 * Returns a fraction as an SVG length in percent. Marks are placed in percent and texts keep their size, so that charts
 * are legible at any width without inline styles.
 *
 * @param part from 0 to 1; other values are clamped
 */
export function percent(part: number): string {
  return `${Number((Math.min(1, Math.max(0, part)) * 100).toFixed(2))}%`;
}
