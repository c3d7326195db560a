import { formatDuration } from "../lib/core/format.ts";
import type { Session } from "./_session.ts";

/** What a look at a changing state found. */
export interface Look {
  readonly json: object;
  readonly lines: () => readonly string[];
  /** The same for the same state. Ages and free space do not count. */
  readonly mark: string;
}

/** A look takes at most this part of the time, however long one takes. */
const BUSY_PART_MAX = 0.2;

/**
 * Shows a state until the command is stopped: on a terminal in place, elsewhere each time that it has changed, as JSON
 * one object a line.
 */
export async function watchState(
  session: Session,
  everyMs: number,
  look: () => Promise<Look>,
): Promise<void> {
  const { context: { clock, signal }, output } = session;
  session.endsOnStop();
  const ending = output.paint("dim", `every ${formatDuration(everyMs)}; end it with Ctrl-C`);
  let shown: string | undefined;
  while (!signal.aborted && !output.isClosed) {
    const startedMs = clock.monotonicMs();
    const { json, lines, mark } = await look();
    if (output.isLive) output.redraw([...lines(), ending]);
    else if (mark !== shown) output.answer(json, lines);
    shown = mark;
    const tookMs = clock.monotonicMs() - startedMs;
    try {
      await clock.sleep(Math.max(everyMs, tookMs / BUSY_PART_MAX), signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}
