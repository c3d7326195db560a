import type { Clock } from "./clock.ts";
import { TransientError } from "./errors.ts";
import type { Log } from "./log.ts";

/** The number of attempts and the pauses between them. */
export interface RetryPolicy {
  readonly attemptsMax: number;
  readonly firstDelayMs: number;
  readonly delayMsMax: number;
  /** If a server requests a longer pause, the retry gives up. Default: 15 minutes. */
  readonly retryAfterMsMax?: number;
}

/** For requests that a person or a schedule waits for. Gives up after about a minute. */
export const REQUEST_RETRIES: RetryPolicy = { attemptsMax: 6, firstDelayMs: 1_000, delayMsMax: 30_000 };

/** Instead of a longer pause, the next scheduled run retries. */
const RETRY_AFTER_MS_MAX = 15 * 60_000;

export interface RetryContext {
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/**
 * Returns the result of `operation`, which is repeated while it fails with a {@link TransientError}. The pause is at
 * least the server's requested one. Otherwise it doubles. Both have jitter, so that machines that failed together do not
 * retry together.
 *
 * @param mayRepeat whether to repeat it after this failure. Default: after every {@link TransientError}
 * @throws the error of the last attempt; any other error than a {@link TransientError} at once
 */
export async function withRetry<Result>(
  context: RetryContext,
  policy: RetryPolicy,
  operation: () => Promise<Result>,
  mayRepeat: (error: TransientError) => boolean = () => true,
): Promise<Result> {
  for (let attempt = 1;; attempt++) {
    try {
      return await operation();
    } catch (error) {
      if (!(error instanceof TransientError) || !mayRepeat(error) || attempt >= policy.attemptsMax) {
        throw error;
      }
      await pauseBeforeRetry(context, policy, attempt, error);
    }
  }
}

/**
 * Logs the pause and waits, as the error and the policy require. @throws the error itself if the pause would be too
 * long
 */
export async function pauseBeforeRetry(
  { clock, log, signal }: RetryContext,
  policy: RetryPolicy,
  attempt: number,
  error: TransientError,
): Promise<void> {
  if ((error.retryAfterMs ?? 0) > (policy.retryAfterMsMax ?? RETRY_AFTER_MS_MAX)) throw error;
  const delayMs = retryDelayMs(policy, attempt, error.retryAfterMs, Math.random());
  log.warn(`${error.message}; trying again in ${(delayMs / 1000).toFixed(1)} s`);
  await clock.sleep(delayMs, signal);
}

/** The longest time that jitter adds to a requested pause: a run holds its lock meanwhile. */
const SPREAD_MS_MAX = 60_000;

/**
 * Returns the pause before the next attempt, in milliseconds. Half of it is fixed; `jitter` (0 to 1) scales the other
 * half. To a pause that the server requests, jitter adds up to half of it, at least as much as the attempt's own pause:
 * a server that turns a thousand clients away names the same second to all of them.
 *
 * @param attempt the number of failed attempts, from 1
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { retryDelayMs } from "./retry.ts";
 * const policy = { attemptsMax: 5, firstDelayMs: 1_000, delayMsMax: 30_000 };
 * assert.equal(retryDelayMs(policy, 1, undefined, 1), 1_000);
 * assert.equal(retryDelayMs(policy, 3, undefined, 0), 2_000);
 * assert.equal(retryDelayMs(policy, 20, undefined, 1), 30_000);
 * assert.equal(retryDelayMs(policy, 1, 7_000, 0), 7_000);
 * assert.equal(retryDelayMs(policy, 1, 7_000, 1), 10_500);
 * assert.equal(retryDelayMs(policy, 3, 1_000, 1), 5_000);
 * ```
 */
export function retryDelayMs(
  policy: RetryPolicy,
  attempt: number,
  retryAfterMs: number | undefined,
  jitter: number,
): number {
  const fullMs = Math.min(policy.delayMsMax, policy.firstDelayMs * 2 ** (attempt - 1));
  if (retryAfterMs === undefined) return fullMs / 2 + jitter * fullMs / 2;
  return retryAfterMs + jitter * Math.max(fullMs, spreadOf(retryAfterMs));
}

/** Returns the time over which clients spread that a server turned away with the same pause, in milliseconds. */
export function spreadOf(retryAfterMs: number): number {
  return Math.min(retryAfterMs / 2, SPREAD_MS_MAX);
}

/**
 * Returns the pause of a `Retry-After` header in milliseconds. It holds seconds or a date (RFC 9110, 10.2.3).
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
