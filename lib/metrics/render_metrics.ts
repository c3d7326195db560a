import type { Context } from "../core/context.ts";
import { messageOf } from "../core/errors.ts";
import type { Store } from "../store/store.ts";
import { lockMetrics } from "./lock_metrics.ts";
import { countNewRuns, readTotals } from "./metrics_state.ts";
import { type Build, metricsText } from "./metrics_text.ts";
import type { RunTotals } from "./run_totals.ts";
import type { ShownStatus } from "./status_families.ts";

/** What the metrics of a store are read from. */
export interface MetricsParts {
  readonly store: Store;
  readonly build: Build;
  /** Reads the store's status as it is now. */
  readonly readStatus: () => Promise<ShownStatus>;
}

/**
 * Returns a function that renders a store's metrics as they are now, for an endpoint. Requests that come while metrics
 * are rendered get the same result, so that the store is read once at a time, however many requests come.
 */
export function metricsRenderer(context: Context, parts: MetricsParts): () => Promise<string> {
  let rendering: Promise<string> | undefined;
  return () => rendering ??= renderMetrics(context, parts).finally(() => rendering = undefined);
}

/** Renders a store's metrics as they are now, with every run that is on record. */
async function renderMetrics(context: Context, parts: MetricsParts): Promise<string> {
  return await currentMetrics(context, parts, await currentTotals(context, parts.store));
}

async function currentTotals(context: Context, store: Store): Promise<RunTotals> {
  try {
    using _lock = await lockMetrics(context, store);
    return await countNewRuns(context, store);
  } catch (error) {
    // A lock that is not free, or a disk that takes no file of a lock: what is on record can be read all the same.
    context.log.debug(`metrics are counted without being remembered: ${messageOf(error)}`);
    return await readTotals(context, store);
  }
}

/** Returns the text of these totals and the store's status. A status that cannot be read is left out. */
export async function currentMetrics(
  context: Context,
  { store, build, readStatus }: MetricsParts,
  totals: RunTotals,
): Promise<string> {
  const status = await readStatus().catch((error) => {
    context.log.warn(`cannot read the status for metrics: ${messageOf(error)}`);
    return undefined;
  });
  return metricsText({ store: store.root, build, totals, status });
}
