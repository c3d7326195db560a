/** Time as a dependency, so that tests decide what it is. */
export interface Clock {
  /** Wall-clock time. May jump: never used to measure a duration. */
  now(): Date;
  /** Milliseconds that only grow, for durations and deadlines. */
  monotonicMs(): number;
  /** Resolves after `durationMs`; rejects with the signal's reason as soon as it is aborted. */
  sleep(durationMs: number, signal: AbortSignal): Promise<void>;
  /** Calls `work` whenever `periodMs` have passed, until the result is disposed of. */
  every(periodMs: number, work: () => void): Disposable;
}

export const systemClock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
  sleep(durationMs, signal) {
    // Rejects also where the signal was aborted before: callers that are stopped catch that.
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
    const timer = setInterval(work, periodMs);
    return { [Symbol.dispose]: () => clearInterval(timer) };
  },
};

/** `2026-11-21T00:00:07Z`: ISO 8601 in UTC to the second, as manifests, commits and history show it. */
export function isoSeconds(date: Date): string {
  return date.toISOString().replace(/\.\d{3}Z$/, "Z");
}
