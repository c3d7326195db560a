/** Time as a dependency, so that tests control it. */
export interface Clock {
  /** Wall-clock time. It may jump, so durations are never measured with it. */
  now(): Date;
  /** Monotonic milliseconds, for durations and deadlines. */
  monotonicMs(): number;
  /** Resolves after `durationMs`; rejects with the signal's reason as soon as it is aborted. */
  sleep(durationMs: number, signal: AbortSignal): Promise<void>;
  /** Calls `work` every `periodMs` until the result is disposed of. */
  every(periodMs: number, work: () => void): Disposable;
}

export const systemClock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
  sleep(durationMs, signal) {
    // A signal that is already aborted rejects as well, so that callers handle one kind of stop.
    if (signal.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        clearTimeout(timer);
        reject(signal.reason);
      };
      const timer = setTimeout(() => {
        signal.removeEventListener("abort", onAbort);
        resolve();
      }, durationMs);
      signal.addEventListener("abort", onAbort, { once: true });
    });
  },
  every(periodMs, work) {
    let timer: ReturnType<typeof setInterval> | undefined;
    const first = onceAfter(periodMs, () => {
      timer = setInterval(work, periodMs);
      work();
    });
    return {
      [Symbol.dispose]: () => {
        first[Symbol.dispose]();
        if (timer !== undefined) clearInterval(timer);
      },
    };
  },
};

/**
 * Calls `work` after a time, unless the result is disposed of before. For times that rarely pass: Deno loads timers with
 * the first one, which takes three milliseconds, and has these without.
 */
export function onceAfter(durationMs: number, work: () => void): Disposable {
  const due = AbortSignal.timeout(Math.ceil(durationMs));
  due.addEventListener("abort", work, { once: true });
  return { [Symbol.dispose]: () => due.removeEventListener("abort", work) };
}

/**
 * Returns a date as `2026-11-21T00:00:07Z`: ISO 8601 in UTC to the second, the format of manifests, commits and
 * history.
 */
export function isoSeconds(date: Date): string {
  return date.toISOString().replace(/\.\d{3}Z$/, "Z");
}
