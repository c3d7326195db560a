import type { Clock } from "./clock.ts";
import { PassingError } from "./errors.ts";
import type { Log } from "./log.ts";

/** How often and how patiently something is tried again. */
export interface RetryPolicy {
  readonly attemptsMax: number;
  readonly firstDelayMs: number;
  readonly delayMsMax: number;
  /** A server that asks for a longer pause is not waited for; a quarter of an hour where nothing is said. */
  readonly retryAfterMsMax?: number;
}

/** For requests that a person or a schedule waits for: gives up after about a minute of trouble. */
export const REQUEST_RETRIES: RetryPolicy = { attemptsMax: 6, firstDelayMs: 1_000, delayMsMax: 30_000 };

/** After a longer pause than this, the next scheduled run is a better time. */
const RETRY_AFTER_MS_MAX = 15 * 60_000;

export interface RetryContext {
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/**
 * Runs `operation` again while it fails with a {@link PassingError}. What the server asks for decides the pause;
 * otherwise it doubles, with jitter, so that machines that failed together do not come back together.
 *
 * @param mayRepeat whether it may be run again after this failure; after every one where nothing is given
 * @throws what the last attempt threw; anything but a {@link PassingError} at once
 */
export async function withRetry<Result>(
  context: RetryContext,
  policy: RetryPolicy,
  operation: () => Promise<Result>,
  mayRepeat: (error: PassingError) => boolean = () => true,
): Promise<Result> {
  for (let attempt = 1;; attempt++) {
    try {
      return await operation();
    } catch (error) {
      if (!(error instanceof PassingError) || !mayRepeat(error) || attempt >= policy.attemptsMax) throw error;
      await pauseBeforeRetry(context, policy, attempt, error);
    }
  }
}

/** Waits as long as the fault and the policy ask for, and says so. @throws the error itself when that is too long */
export async function pauseBeforeRetry(
  { clock, log, signal }: RetryContext,
  policy: RetryPolicy,
  attempt: number,
  error: PassingError,
): Promise<void> {
  const delayMs = retryDelayMs(policy, attempt, error.retryAfterMs, Math.random());
  if (delayMs > (policy.retryAfterMsMax ?? RETRY_AFTER_MS_MAX)) throw error;
  log.warn(`${error.message}; trying again in ${(delayMs / 1000).toFixed(1)} s`);
  await clock.sleep(delayMs, signal);
}

/**
 * The pause before the next attempt, in milliseconds: half of it fixed, half of it by `jitter` (0 to 1).
 *
 * @param attempt how many attempts have failed, from 1
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { retryDelayMs } from "./retry.ts";
 * const policy = { attemptsMax: 5, firstDelayMs: 1_000, delayMsMax: 30_000 };
 * assert.equal(retryDelayMs(policy, 1, undefined, 1), 1_000);
 * assert.equal(retryDelayMs(policy, 3, undefined, 0), 2_000);
 * assert.equal(retryDelayMs(policy, 20, undefined, 1), 30_000);
 * assert.equal(retryDelayMs(policy, 1, 7_000, 1), 7_000);
 * ```
 */
export function retryDelayMs(
  policy: RetryPolicy,
  attempt: number,
  retryAfterMs: number | undefined,
  jitter: number,
): number {
  if (retryAfterMs !== undefined) return retryAfterMs;
  const fullMs = Math.min(policy.delayMsMax, policy.firstDelayMs * 2 ** (attempt - 1));
  return fullMs / 2 + jitter * fullMs / 2;
}

/**
 * What a `Retry-After` header asks for, in milliseconds: it holds seconds or a date (RFC 9110, 10.2.3).
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { parseRetryAfter } from "./retry.ts";
 * const now = new Date("2026-11-21T00:00:00Z");
 * assert.equal(parseRetryAfter("120", now), 120_000);
 * assert.equal(parseRetryAfter("Sat, 21 Nov 2026 00:00:30 GMT", now), 30_000);
 * assert.equal(parseRetryAfter("soon", now), undefined);
 * ```
 */
export function parseRetryAfter(value: string | null, now: Date): number | undefined {
  if (value === null) return undefined;
  if (/^\s*\d+\s*$/.test(value)) return Number(value) * 1000;
  const atMs = Date.parse(value);
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - now.getTime());
}
