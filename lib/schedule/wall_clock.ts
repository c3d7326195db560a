import { zoneOffset } from "../core/time_zone.ts";

const MINUTE_MS = 60_000;
/** Since 1972, clocks are set at full quarters of an hour only, in every zone. */
const QUARTER_MS = 15 * MINUTE_MS;
const HOUR_MS = 60 * MINUTE_MS;

/** The bound of remembered offsets. Queries are within some days; the system call costs most of the time. */
const OFFSETS_MAX = 1_000;

/** The largest distance from UTC: zones are between -12 and +14 hours; one zone once skipped a day. */
const SHIFT_MS_MAX = 26 * HOUR_MS;

/**
 * Converts between instants and the wall-clock times of a time zone.
 *
 * A wall-clock time is a number: the milliseconds since 1970 that it would be if the zone were UTC.
 */
export class WallClock {
  readonly #readOffset: (timeMs: number) => number;
  /** The offsets, by the start of the quarter of an hour. */
  readonly #offsets = new Map<number, number>();

  /** @param timeZone an IANA name; `undefined` for the zone of the machine */
  constructor(timeZone: string | undefined) {
    this.#readOffset = zoneOffset(timeZone);
  }

  /** Returns the wall-clock time at an instant, to the minute. */
  shownAt(timeMs: number): number {
    return Math.floor(timeMs / MINUTE_MS) * MINUTE_MS + this.offsetAt(timeMs);
  }

  /** Returns the offset of the zone from UTC at an instant, in milliseconds. */
  offsetAt(timeMs: number): number {
    const quarterMs = Math.floor(timeMs / QUARTER_MS) * QUARTER_MS;
    const known = this.#offsets.get(quarterMs);
    if (known !== undefined) return known;
    if (this.#offsets.size >= OFFSETS_MAX) this.#offsets.clear();
    const offset = this.#readOffset(quarterMs);
    this.#offsets.set(quarterMs, offset);
    return offset;
  }

  /**
   * Returns the instants at which clocks show a time, in order: two where clocks are set back over it, none where they
   * are set forward over it.
   */
  instantsOf(wallMs: number): number[] {
    const offsets = new Set(
      [wallMs - SHIFT_MS_MAX, wallMs + SHIFT_MS_MAX].map((time) => this.offsetAt(time)),
    );
    return [...offsets].map((offset) => wallMs - offset).filter((time) => this.shownAt(time) === wallMs)
      .sort((a, b) => a - b);
  }

  /** Returns the first instant at which clocks show a time; where they skip it, the first instant after the gap. */
  firstInstantOf(wallMs: number): number {
    const [first] = this.instantsOf(wallMs);
    return first ?? this.findShift(wallMs - SHIFT_MS_MAX, wallMs + SHIFT_MS_MAX) ?? wallMs;
  }

  /** Returns the minute after `fromMs`, up to `toMs`, at which clocks are set. At most one is expected. */
  findShift(fromMs: number, toMs: number): number | undefined {
    const offset = this.offsetAt(toMs);
    let [before, after] = [Math.floor(fromMs / MINUTE_MS), Math.floor(toMs / MINUTE_MS)];
    if (this.offsetAt(before * MINUTE_MS) === offset) return undefined;
    while (after - before > 1) {
      const middle = Math.floor((before + after) / 2);
      if (this.offsetAt(middle * MINUTE_MS) === offset) after = middle;
      else before = middle;
    }
    return after * MINUTE_MS;
  }
}
