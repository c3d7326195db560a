import type { ModelSync } from "../config/schema.ts";
import type { Context } from "../core/context.ts";
import { messageAndHint } from "../core/errors.ts";
import { awaitVerdict } from "../pipeline/await_verdict.ts";
import type { Store } from "../store/store.ts";

/** How soon a release that was activated is in canary. */
const LOOK_MS = 5_000;

/**
 * Watches the canary of whichever release is active until the signal is aborted, beside the runs: a newer release need
 * not wait for a verdict.
 *
 * @param readSettings reads the configuration as it is now
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
      // A damaged file stays damaged: it is logged once.
      if (fault !== lastFault) log.error(fault);
      lastFault = fault;
    }
    // Being stopped is no fault.
    await clock.sleep(LOOK_MS, signal).catch(() => {});
  }
}
