// @ts-types="@types/d3-scale"
import { scaleUtc } from "d3-scale";
import { clockOf, dayOfMonth, wallTime, zoneOffset } from "../shared/time_words.ts";

/** A label on an axis. */
export interface Tick {
  /** From 0 at the start of the axis to 1 at its end. */
  readonly part: number;
  readonly label: string;
}

/** A span of time that a chart shows. */
export interface Span {
  readonly from: Date;
  readonly to: Date;
}

const DAY = 86_400_000;

/** Returns where a time stands in a span, from 0 to 1. */
export function partOf(span: Span, at: Date): number {
  const length = span.to.getTime() - span.from.getTime();
  return length <= 0 ? 1 : (at.getTime() - span.from.getTime()) / length;
}

/**
 * Returns the labels of a time axis: round times by the reader's clocks, about as many as are asked for and never many
 * more. Spans of more than two days are labelled with days.
 */
export function timeTicks(span: Span, zone: string, count: number): readonly Tick[] {
  const length = span.to.getTime() - span.from.getTime();
  if (length === 0) return [momentTick(wallTime(span.from, zone))];
  if (!(length > 0)) return [];
  // Where clocks are set meanwhile, the wall's span differs from the true one by as much.
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

/** Of the room that a label has, when there are as many as are asked for. */
const LEAST_SPACE = 0.7;

/** Returns the ticks that stand far enough from the next one, from the last one on. */
function spaced(ticks: readonly Tick[], space: number): readonly Tick[] {
  const kept: Tick[] = [];
  for (const tick of ticks.toReversed()) {
    const next = kept[0];
    if (next === undefined || next.part - tick.part >= space) kept.unshift(tick);
  }
  return kept;
}

/** A chart of one moment shows it in its middle. */
function momentTick(wall: Date): Tick {
  return { part: 0.5, label: `${dayOfMonth(wall)}, ${clockOf(wall)}` };
}

/** Midnights, every so many days, so that the last one is the day that a span ends on. */
function dayTicks(domain: readonly Date[], every: number): Date[] {
  const [from = 0, to = 0] = domain.map((date) => date.getTime());
  const ticks: Date[] = [];
  for (let day = Math.floor(to / DAY) * DAY; day >= from; day -= every * DAY) ticks.unshift(new Date(day));
  return ticks;
}

/** Midnight says which day begins. */
function clockLabel(wall: Date): string {
  return wall.getTime() % DAY === 0 ? dayOfMonth(wall) : clockOf(wall);
}

/**
 * Returns a part of a width as an SVG length. Marks are placed in percent and text keeps its size, so that a chart is
 * legible at any width without a style of its own.
 *
 * @param part from 0 to 1; what lies beyond is cut off
 */
export function percent(part: number): string {
  return `${Number((Math.min(1, Math.max(0, part)) * 100).toFixed(2))}%`;
}
