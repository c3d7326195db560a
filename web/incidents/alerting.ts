import type { AlertsSettings } from "../../lib/config/sections/alerts.ts";
import type { Context } from "../../lib/core/context.ts";

/** Where the dashboard's alerts go to, and what sends them. */
export interface Alerting {
  readonly context: Context;
  readonly settings: AlertsSettings;
}
