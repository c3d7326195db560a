import type { Clock } from "./clock.ts";

/**
 * Runs `work` with a signal that is aborted together with `signal`, or after `timeoutMs` with the error of `onTimeout`.
 * Each call makes a new signal, because a signal that has timed out would end the next attempt at once.
 */
export async function withDeadline<Result>(
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
  timeoutMs: number,
  onTimeout: () => Error,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  signal.throwIfAborted();
  const done = new AbortController();
  const deadline = new AbortController();
  const onAbort = () => deadline.abort(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  const timer = clock.sleep(timeoutMs, done.signal).then(
    () => deadline.abort(onTimeout()),
    () => {
      // The work ended in time.
    },
  );
  try {
    return await work(deadline.signal);
  } catch (error) {
    // The reason of the abort explains more than the error of the interrupted work.
    if (deadline.signal.aborted) throw deadline.signal.reason;
    throw error;
  } finally {
    done.abort();
    signal.removeEventListener("abort", onAbort);
    await timer;
  }
}
