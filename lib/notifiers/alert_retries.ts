import type { RetryPolicy } from "../core/retry.ts";

/** The retries of one alert, within the time that all alerts of a run have. The next run sends what failed. */
export const ALERT_RETRIES: RetryPolicy = {
  attemptsMax: 3,
  firstDelayMs: 1_000,
  delayMsMax: 4_000,
  retryAfterMsMax: 10_000,
};

/** The longest time for one request. */
export const ALERT_REQUEST_TIMEOUT_MS = 10_000;
