import type { RetryPolicy } from "../core/retry.ts";

/** Within the time that alerts have in all: whoever is away for longer hears of the next event. */
export const ALERT_RETRIES: RetryPolicy = {
  attemptsMax: 3,
  firstDelayMs: 1_000,
  delayMsMax: 4_000,
  retryAfterMsMax: 10_000,
};

/** The longest time for one request. */
export const ALERT_REQUEST_TIMEOUT_MS = 10_000;
