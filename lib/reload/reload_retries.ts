import type { RetryPolicy } from "../core/retry.ts";

/** A consumer that is starting is there in seconds; who waits longer keeps the store locked. */
const FIRST_DELAY_MS = 1_000;
const DELAY_MS_MAX = 10_000;
const RETRY_AFTER_MS_MAX = 60_000;

/** How a hook is tried again. */
export function reloadRetries({ retries }: { readonly retries: number }): RetryPolicy {
  return {
    attemptsMax: retries + 1,
    firstDelayMs: FIRST_DELAY_MS,
    delayMsMax: DELAY_MS_MAX,
    retryAfterMsMax: RETRY_AFTER_MS_MAX,
  };
}
