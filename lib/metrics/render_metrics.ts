import type { ModelSync } from "../config/schema.ts";
import type { Context } from "../core/context.ts";
import { messageOf } from "../core/errors.ts";
import { VERSION } from "../core/version.ts";
import type { Status } from "../wire/schema.ts";
import { configuredRoles } from "../config/roles.ts";
import { readStatus } from "../status/read_status.ts";
import type { Store } from "../store/store.ts";
import { lockMetrics } from "./lock_metrics.ts";
import { countNewRuns, readTotals } from "./metrics_state.ts";
import { metricsText } from "./metrics_text.ts";
import type { RunTotals } from "./run_totals.ts";

const BUILD = { version: VERSION, deno: Deno.version.deno };

/** Reads the current settings: a daemon's configuration may change while it runs. */
export type ReadSettings = () => Promise<ModelSync>;

/**
 * Returns a function that renders a store's current metrics, with every run on record, for an endpoint. It costs as
 * much as `status` and reading the history since the last rendering. Requests that come meanwhile share the result: the
 * store is read once at a time, however many requests come.
 */
export function metricsRenderer(
  context: Context,
  store: Store,
  readSettings: ReadSettings,
): () => Promise<string> {
  let rendering: Promise<string> | undefined;
  const render = async () => {
    const totals = await currentTotals(context, store);
    return await currentMetrics(context, store, readSettings, totals);
  };
  return () => rendering ??= render().finally(() => rendering = undefined);
}

async function currentTotals(context: Context, store: Store): Promise<RunTotals> {
  try {
    using _lock = await lockMetrics(context, store);
    return await countNewRuns(context, store);
  } catch (error) {
    // Without the lock, the runs on record can be counted, but not noted as counted.
    context.log.debug(`metrics are counted without being remembered: ${messageOf(error)}`);
    return await readTotals(context, store);
  }
}

/** Returns the text of totals and of the store's status, unless the status cannot be read. */
export async function currentMetrics(
  context: Context,
  store: Store,
  readSettings: ReadSettings,
  totals: RunTotals,
): Promise<string> {
  const status = await statusOf(context, store, readSettings).catch((error) => {
    context.log.warn(`cannot read the status for metrics: ${messageOf(error)}`);
    return undefined;
  });
  return metricsText({ store: store.root, build: BUILD, totals, status });
}

async function statusOf(context: Context, store: Store, readSettings: ReadSettings): Promise<Status> {
  const location = { modelsDir: store.modelsDir, stateDir: store.root };
  const settings = await readSettings();
  return await readStatus(context, { settings, location, store, roles: configuredRoles(settings) }, 0);
}
