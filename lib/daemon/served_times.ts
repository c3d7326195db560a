import type { Calendar } from "../schedule/calendar.ts";
import type { ServedSpan } from "../store/schedule_state.ts";

/** One span while the daemon misses nothing; two more for each time that it was stopped or suspended. */
const SPANS_MAX = 8;

/**
 * The due times that have had their run, as spans: when a clock is set back, they must not run twice. Due times that a
 * clock skipped are not among them: when it is corrected, they are still due.
 */
export class ServedTimes {
  #spans: readonly ServedSpan[];

  constructor(spans: readonly ServedSpan[]) {
    this.#spans = spans.slice(-SPANS_MAX);
  }

  get spans(): readonly ServedSpan[] {
    return this.#spans;
  }

  /** Returns the end of the span that holds a due time; `undefined` for one that has not had its run. */
  endOfSpan(due: Date): Date | undefined {
    return this.#spans.find(([first, last]) => first <= due && due <= last)?.[1];
  }

  /** Adds a due time; to the newest span if it is the next one after that. */
  add(due: Date, calendar: Calendar): void {
    if (this.endOfSpan(due) !== undefined) return;
    const newest = this.#spans.at(-1);
    const isNext = newest !== undefined && calendar.next(newest[1])?.getTime() === due.getTime();
    const spans: readonly ServedSpan[] = isNext
      ? [...this.#spans.slice(0, -1), [newest[0], due]]
      : [...this.#spans, [due, due]];
    this.#spans = spans.slice(-SPANS_MAX);
  }
}
