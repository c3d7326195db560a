import { type Clock, systemClock } from "./clock.ts";

/** Work that is aborted closes connections, and syncs what it received. Longer than a slow disk takes for that. */
const GRACE_MS = 30_000;

/**
 * Runs `work` with a signal that is aborted together with `signal`, or after `timeoutMs` with the error of `onTimeout`.
 * Each call makes a new signal, because a signal that has timed out would end the next attempt at once.
 *
 * Work that was aborted is awaited, so that it does not write beside the next attempt; work that does not end is abandoned
 * after `graceMs`, in real time, because no clock of a caller decides how long a system call takes.
 */
export async function withDeadline<Result>(
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
  timeoutMs: number,
  onTimeout: () => Error,
  work: (signal: AbortSignal) => Promise<Result>,
  graceMs: number = GRACE_MS,
): Promise<Result> {
  signal.throwIfAborted();
  const done = new AbortController();
  const deadline = new AbortController();
  const onAbort = () => deadline.abort(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  const abandoned = Promise.withResolvers<never>();
  const onDeadline = () => {
    systemClock.sleep(graceMs, done.signal).then(() => abandoned.reject(deadline.signal.reason), () => {
      // The work ended.
    });
  };
  deadline.signal.addEventListener("abort", onDeadline, { once: true });
  const timer = clock.sleep(timeoutMs, done.signal).then(
    () => deadline.abort(onTimeout()),
    () => {
      // The work ended in time.
    },
  );
  try {
    return await Promise.race([work(deadline.signal), abandoned.promise]);
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
