import type { AlertsSettings } from "../../lib/config/sections/alerts.ts";
import type { Context } from "../../lib/core/context.ts";
import { channelsOf } from "../../lib/notifiers/channels.ts";

/** Where the dashboard's alerts go to, and what sends them. */
export interface Alerting {
  readonly context: Context;
  readonly settings: AlertsSettings;
}

/** Returns where alerts go to, as it is configured now; `undefined` where none go out. */
export type ReadAlerting = () => Promise<Alerting | undefined>;

/** The section `model_sync.alerts` where there is no file, as on Deno Deploy: YAML or JSON. */
export const ALERTS_VARIABLE = "MODEL_SYNC_DASHBOARD_ALERTS";

/** Returns how alerts go out, each way once, in words without addresses; empty where none do. */
export async function alertWays(readAlerting: ReadAlerting): Promise<string[]> {
  const alerting = await readAlerting();
  if (alerting === undefined) return [];
  const channels = channelsOf(alerting.context.env, alerting.settings);
  return [...new Set(channels.map(({ way }) => way))];
}
