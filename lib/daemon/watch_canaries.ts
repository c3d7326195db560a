import type { ModelSync } from "../config/schema.ts";
import type { Context } from "../core/context.ts";
import { messageAndHint } from "../core/errors.ts";
import { awaitVerdict } from "../pipeline/await_verdict.ts";
import type { Store } from "../store/store.ts";

/** The longest time between an activation and the start of its watch. */
const CHECK_MS = 5_000;

/**
 * Watches the canary of the active release until the signal is aborted. It runs beside the roles: the pull of a newer
 * release does not wait for a verdict.
 *
 * @param readSettings reads the current configuration
 */
export async function watchCanaries(
  context: Context,
  store: Store,
  readSettings: () => Promise<ModelSync>,
): Promise<void> {
  const { log, clock, signal } = context;
  let lastFault = "";
  while (!signal.aborted) {
    try {
      await awaitVerdict(context, store, await readSettings());
    } catch (error) {
      if (signal.aborted) return;
      const fault = messageAndHint(error);
      // The same fault is logged once: a damaged file stays damaged.
      if (fault !== lastFault) log.error(fault);
      lastFault = fault;
    }
    // The signal may end the sleep.
    await clock.sleep(CHECK_MS, signal).catch(() => {});
  }
}
