import type { AlertsSettings } from "../../lib/config/sections/alerts.ts";
import type { Context } from "../../lib/core/context.ts";
import { channelsOf } from "../../lib/notifiers/channels.ts";

/** The dashboard's alert channels, and the context that sends alerts. */
export interface Alerting {
  readonly context: Context;
  readonly settings: AlertsSettings;
}

/** Returns the current alert channels; `undefined` if no alerts are sent. */
export type ReadAlerting = () => Promise<Alerting | undefined>;

/**
 * The variable with the section `model_sync.alerts` as YAML or JSON, for platforms without a file, such as Deno Deploy.
 */
export const ALERTS_VARIABLE = "MODEL_SYNC_DASHBOARD_ALERTS";

/** Returns the ways in which alerts are sent, such as `by e-mail`, without addresses; empty if there are none. */
export async function alertWays(readAlerting: ReadAlerting): Promise<string[]> {
  const alerting = await readAlerting();
  if (alerting === undefined) return [];
  const channels = channelsOf(alerting.context.env, alerting.settings);
  return [...new Set(channels.map(({ way }) => way))];
}
