import type { HeldSpan } from "./download_types.ts";
import type { Span, SpanSet } from "./spans.ts";

/** Limits the requests for what is between the copied runs. One more costs a round trip, which four connections share. */
export const RUNS_MAX = 256;

/** A shorter run is downloaded with what is around it: at 10 MB/s, it takes no longer than the round trip of a request. */
export const RUN_BYTES_MIN = 512 * 1024;

/** If less of the file is held, the copies would save no time that counts, and cost requests. */
const SHARE_MIN = 1 / 32;

/**
 * Returns the spans that a download copies instead of requesting them: the parts of `held` that are missing, in runs
 * that are worth a further request.
 *
 * @param held in order and apart from each other
 * @param have what the file has already
 * @param total the size of the file
 */
export function chooseCopies(held: readonly HeldSpan[], have: SpanSet, total: number): HeldSpan[] {
  const runs = touchingRuns(missingParts(held, have.gaps(total)))
    .filter((run) => sumBytes(run) >= RUN_BYTES_MIN)
    .sort((a, b) => sumBytes(b) - sumBytes(a))
    .slice(0, RUNS_MAX);
  const copies = runs.flat().sort((a, b) => a.start - b.start);
  return sumBytes(copies) < total * SHARE_MIN ? [] : copies;
}

/** Returns the number of bytes in spans that are apart from each other. */
export function sumBytes(spans: readonly Span[]): number {
  return spans.reduce((sum, { start, end }) => sum + end - start, 0);
}

function missingParts(held: readonly HeldSpan[], gaps: readonly Span[]): HeldSpan[] {
  return gaps.flatMap((gap) =>
    held
      .filter((span) => span.start < gap.end && span.end > gap.start)
      .map((span) => {
        const start = Math.max(span.start, gap.start);
        return { ...span, start, end: Math.min(span.end, gap.end), offset: span.offset + start - span.start };
      })
  );
}

function touchingRuns(spans: readonly HeldSpan[]): HeldSpan[][] {
  const runs: HeldSpan[][] = [];
  for (const span of spans) {
    const run = runs.at(-1);
    if (run !== undefined && run.at(-1)?.end === span.start) run.push(span);
    else runs.push([span]);
  }
  return runs;
}
