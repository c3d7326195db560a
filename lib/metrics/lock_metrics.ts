import { join } from "node:path";
import { type Context, neverAborted } from "../core/context.ts";
import { withDeadline } from "../core/deadline.ts";
import { LockedError } from "../core/errors.ts";
import { awaitLock } from "../core/lock.ts";
import type { Store } from "../store/store.ts";

/** Ten times as long as counting and writing take. Another process may not have counted our run: it is waited for. */
const WAIT_MS = 5_000;

/**
 * Takes the lock of a store's metrics, under which they are counted and written.
 *
 * @throws {LockedError} when another process holds it for longer than {@link WAIT_MS}
 */
export async function lockMetrics(context: Context, store: Store): Promise<Disposable> {
  const path = join(store.root, "metrics.lock");
  const tooLate = () =>
    new LockedError(`Cannot lock ${path}: another process holds it for more than ${WAIT_MS / 1000} s`, {
      code: "LOCKED",
      hint: "wait for that process to end, or stop it",
    });
  // Interrupted runs are counted, too.
  const { clock } = context;
  return await withDeadline(
    { clock, signal: neverAborted() },
    WAIT_MS,
    tooLate,
    (signal) => awaitLock({ ...context, signal }, path, { command: "metrics" }),
  );
}
