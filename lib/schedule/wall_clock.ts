const MINUTE_MS = 60_000;
/** Clocks are set at full quarters of an hour only, in every zone, since 1972. */
const QUARTER_MS = 15 * MINUTE_MS;
const HOUR_MS = 60 * MINUTE_MS;

/** What is asked for lies within some days; asking the system for each anew takes most of the time. */
const OFFSETS_MAX = 1_000;

/** No zone is further from UTC: between -12 and +14 hours, and a day's shift besides has been seen once. */
const SHIFT_MS_MAX = 26 * HOUR_MS;

/**
 * What clocks show in a time zone, and when they show it.
 *
 * A wall-clock time is a number here: the milliseconds that would stand for it if the zone were UTC.
 */
export class WallClock {
  readonly #format: Intl.DateTimeFormat;
  /** By the beginning of the quarter of an hour. */
  readonly #offsets = new Map<number, number>();

  /** @param timeZone an IANA name; `undefined` for the machine's own */
  constructor(timeZone: string | undefined) {
    this.#format = new Intl.DateTimeFormat("en-US", {
      timeZone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
    });
  }

  /** Returns what clocks show at an instant, to the minute. */
  shownAt(timeMs: number): number {
    return Math.floor(timeMs / MINUTE_MS) * MINUTE_MS + this.offsetAt(timeMs);
  }

  /** Returns how far clocks are ahead of UTC at an instant. */
  offsetAt(timeMs: number): number {
    const quarterMs = Math.floor(timeMs / QUARTER_MS) * QUARTER_MS;
    const known = this.#offsets.get(quarterMs);
    if (known !== undefined) return known;
    if (this.#offsets.size >= OFFSETS_MAX) this.#offsets.clear();
    const offset = this.#readClock(quarterMs) - quarterMs;
    this.#offsets.set(quarterMs, offset);
    return offset;
  }

  #readClock(timeMs: number): number {
    // US English: month/day/year, hour:minute.
    const [month = 1, day = 1, year = 1970, hour = 0, minute = 0] = this.#format.format(timeMs).match(/\d+/g)
      ?.map(Number) ?? [];
    return Date.UTC(year, month - 1, day, hour, minute);
  }

  /**
   * Returns the instants at which clocks show a time, in their order: two where they are set back over it, none where
   * they are set forward over it.
   */
  instantsOf(wallMs: number): number[] {
    const offsets = new Set(
      [wallMs - SHIFT_MS_MAX, wallMs + SHIFT_MS_MAX].map((time) => this.offsetAt(time)),
    );
    return [...offsets].map((offset) => wallMs - offset).filter((time) => this.shownAt(time) === wallMs)
      .sort((a, b) => a - b);
  }

  /** Returns the first instant that shows a time; where clocks are set forward over it, the first one after that. */
  firstInstantOf(wallMs: number): number {
    const [first] = this.instantsOf(wallMs);
    return first ?? this.findShift(wallMs - SHIFT_MS_MAX, wallMs + SHIFT_MS_MAX) ?? wallMs;
  }

  /** Returns the first minute after `fromMs`, and not after `toMs`, at which clocks have been set; at most one is expected. */
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
