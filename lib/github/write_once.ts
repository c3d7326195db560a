import { PassingError } from "../core/errors.ts";
import { wasTurnedAway } from "../http/request.ts";
import { pauseBeforeRetry, type RetryContext, type RetryPolicy } from "../core/retry.ts";

/** Fewer than for reads: each costs a look as well. */
const WRITE_RETRIES: RetryPolicy = { attemptsMax: 4, firstDelayMs: 2_000, delayMsMax: 30_000 };

/**
 * Sends a write that must not be done twice. After a failure that may have been a success — no answer came, or the
 * server broke down over it — `find` looks whether it was done, before it is sent again.
 *
 * @throws what `find` throws, and the last error of `write`; any but a {@link PassingError} at once, and a request
 * to wait, too, which was heeded already
 */
export async function writeOnce<Result>(
  context: RetryContext,
  write: () => Promise<Result>,
  find: () => Promise<Result | undefined>,
): Promise<Result> {
  for (let attempt = 1;; attempt++) {
    try {
      return await write();
    } catch (error) {
      const isUncertain = error instanceof PassingError && error.code !== "RATE_LIMITED" &&
        !wasTurnedAway(error);
      if (!isUncertain || attempt >= WRITE_RETRIES.attemptsMax) throw error;
      await pauseBeforeRetry(context, WRITE_RETRIES, attempt, error);
      const found = await find();
      if (found !== undefined) return found;
    }
  }
}
