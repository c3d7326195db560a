import { join } from "node:path";
import type { Context } from "../core/context.ts";
import { LockedError } from "../core/errors.ts";
import { acquireLock } from "../core/lock.ts";
import type { Store } from "../store/store.ts";

/** Another process counts and writes in a tenth of this; it may have read the history before our run was in it. */
const WAIT_MS = 5_000;

/**
 * Takes the lock of a store's metrics, for as long as they are counted and written.
 *
 * @throws {LockedError} when another process holds it for longer than {@link WAIT_MS}
 */
export async function lockMetrics({ fs, clock, host }: Context, store: Store): Promise<Disposable> {
  const endMs = clock.monotonicMs() + WAIT_MS;
  while (true) {
    try {
      return await acquireLock(
        fs,
        join(store.root, "metrics.lock"),
        { command: "metrics", host },
        clock,
      );
    } catch (error) {
      if (!(error instanceof LockedError) || clock.monotonicMs() >= endMs) throw error;
    }
  }
}
