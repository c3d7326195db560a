import type { Clock } from "./clock.ts";

/**
 * Runs `work` with a signal that is aborted when `signal` is, or after `timeoutMs` with the error that `onTimeout`
 * makes. A fresh signal every time: one that timed out before would end a second attempt at once.
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
      // The work was done in time.
    },
  );
  try {
    return await work(deadline.signal);
  } catch (error) {
    // What is thrown by whoever was interrupted tells less than why it was.
    if (deadline.signal.aborted) throw deadline.signal.reason;
    throw error;
  } finally {
    done.abort();
    signal.removeEventListener("abort", onAbort);
    await timer;
  }
}
