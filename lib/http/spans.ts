/** A range of a file, end exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** The received bytes of a file, as sorted spans that do not touch. */
export class SpanSet {
  #spans: Span[] = [];

  /** Returns the set of spans in any order. They are sorted once, because each {@link add} reads all earlier spans. */
  static of(spans: Iterable<Span>): SpanSet {
    const set = new SpanSet();
    for (const span of [...spans].sort((a, b) => a.start - b.start)) {
      if (span.end <= span.start) continue;
      const last = set.#spans.at(-1);
      if (last === undefined || span.start > last.end) set.#spans.push({ start: span.start, end: span.end });
      else set.#spans[set.#spans.length - 1] = { start: last.start, end: Math.max(last.end, span.end) };
    }
    return set;
  }

  get spans(): readonly Span[] {
    return this.#spans;
  }

  /** The number of received bytes. */
  get bytes(): number {
    return this.#spans.reduce((sum, span) => sum + span.end - span.start, 0);
  }

  /** Returns the end of the received bytes without a gap from `offset`. */
  endFrom(offset: number): number {
    return this.#spans.find((span) => span.start <= offset && offset <= span.end)?.end ?? offset;
  }

  add(added: Span): void {
    if (added.end <= added.start) return;
    const apart = (span: Span) => span.end < added.start || span.start > added.end;
    const touching = this.#spans.filter((span) => !apart(span));
    const merged = {
      start: Math.min(added.start, ...touching.map((span) => span.start)),
      end: Math.max(added.end, ...touching.map((span) => span.end)),
    };
    this.#spans = [...this.#spans.filter(apart), merged].sort((a, b) => a.start - b.start);
  }

  /** Returns the bytes of this set that another set does not have, as sorted spans. Reads both sets once. */
  without(other: SpanSet): Span[] {
    const left: Span[] = [];
    let next = 0;
    for (const span of this.#spans) {
      let { start } = span;
      let taken = other.#spans[next];
      while (taken !== undefined && taken.start < span.end) {
        if (taken.start > start) left.push({ start, end: taken.start });
        start = Math.max(start, taken.end);
        // A span that ends later may also cover the beginning of the next one.
        if (taken.end > span.end) break;
        taken = other.#spans[++next];
      }
      if (start < span.end) left.push({ start, end: span.end });
    }
    return left;
  }

  /** Returns a set with the same spans. */
  copy(): SpanSet {
    const copy = new SpanSet();
    copy.#spans = [...this.#spans];
    return copy;
  }

  /** Returns the missing spans of the first `total` bytes. */
  gaps(total: number): Span[] {
    const gaps: Span[] = [];
    let offset = 0;
    for (const span of this.#spans) {
      if (span.start > offset) gaps.push({ start: offset, end: Math.min(span.start, total) });
      offset = Math.max(offset, span.end);
    }
    if (offset < total) gaps.push({ start: offset, end: total });
    return gaps.filter((gap) => gap.end > gap.start);
  }
}

/**
 * The size of the parts for concurrent connections. A smaller part is not worth a connection. With larger parts, the
 * last bytes would arrive far ahead of the digest, which reads the file in order.
 */
export const SPAN_BYTES = { min: 32 * 1024 * 1024, max: 256 * 1024 * 1024 } as const;

/**
 * Returns gaps cut into about `parts` pieces, in order. If the pieces would be too large, there are more.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { cutSpans } from "./spans.ts";
 * const limits = { min: 10, max: 100 };
 * assert.deepEqual(cutSpans([{ start: 0, end: 80 }], 2, limits), [{ start: 0, end: 40 }, { start: 40, end: 80 }]);
 * assert.deepEqual(cutSpans([{ start: 0, end: 15 }], 4, limits), [{ start: 0, end: 10 }, { start: 10, end: 15 }]);
 * assert.equal(cutSpans([{ start: 0, end: 1000 }], 4, limits).length, 10);
 * ```
 */
export function cutSpans(
  gaps: readonly Span[],
  parts: number,
  limits: { readonly min: number; readonly max: number },
): Span[] {
  const bytes = gaps.reduce((sum, gap) => sum + gap.end - gap.start, 0);
  const partBytes = Math.min(limits.max, Math.max(limits.min, Math.ceil(bytes / parts)));
  return gaps.flatMap((gap) => {
    const spans: Span[] = [];
    for (let start = gap.start; start < gap.end; start += partBytes) {
      spans.push({ start, end: Math.min(gap.end, start + partBytes) });
    }
    return spans;
  });
}
