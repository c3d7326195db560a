import { together } from "../core/concurrency.ts";
import { TransientError } from "../core/errors.ts";
import { pauseBeforeRetry, type RetryContext, type RetryPolicy } from "../core/retry.ts";

/** How many requests are sent to one server at a time, and how often each one is repeated. */
export interface Pace {
  readonly atOnceMax: number;
  /** Each pause halves the requests at once, down to this number. */
  readonly atOnceMin: number;
  readonly retries: RetryPolicy;
}

/**
 * Does many small pieces of work with one server. After a {@link TransientError}, such as 429, nothing is sent until the
 * pause that the server requests has passed, and then only half as many at once. The piece is repeated first.
 *
 * @param work gets a signal that is aborted when another piece has failed
 * @throws the error of a piece's last attempt; any other error than a {@link TransientError} at once. Every piece has
 * ended before
 */
export async function runPaced<Piece>(
  context: RetryContext,
  pieces: Iterable<Piece>,
  { atOnceMax, atOnceMin, retries }: Pace,
  work: (piece: Piece, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  // The next piece is the last one of the list, where adding and taking are cheap.
  const queue = Array.from(pieces, (piece) => ({ piece, failures: 0 })).reverse();
  let workers = Math.min(atOnceMax, queue.length);
  let atOnce = workers;
  let pause: Promise<void> | undefined;
  let pauses = 0;
  const slowDown = async (failures: number, error: TransientError, signal: AbortSignal) => {
    atOnce = Math.max(Math.min(atOnce, atOnceMin), Math.ceil(atOnce / 2));
    await pauseBeforeRetry({ ...context, signal }, retries, failures, error);
    pause = undefined;
  };
  const worker = async (signal: AbortSignal) => {
    for (let next = queue.pop(); next !== undefined; next = workers > atOnce ? undefined : queue.pop()) {
      const pausesBefore = pauses;
      try {
        await work(next.piece, signal);
      } catch (error) {
        if (!(error instanceof TransientError) || ++next.failures >= retries.attemptsMax) throw error;
        queue.push(next);
        // Work that began before the last pause shows nothing about the time after it.
        if (pauses === pausesBefore) {
          pauses++;
          pause = slowDown(next.failures, error, signal);
        }
      }
      while (pause !== undefined) await pause;
    }
    workers--;
  };
  await together(context.signal, Array.from({ length: workers }, () => worker));
}
