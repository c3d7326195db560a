import type { AlertsSettings } from "../config/sections/alerts.ts";
import type { Context } from "../core/context.ts";
import { channelsOf } from "../notifiers/channels.ts";
import { type Check, pass, tried } from "./check.ts";

/** Whether alerts would arrive. None is sent. Needs net permission. */
export async function checkAlerts(context: Context, settings: AlertsSettings): Promise<Check[]> {
  return await Promise.all(
    channelsOf(context.env, settings).map((channel) =>
      tried("alerts", async () => pass("alerts", await channel.look(context)))
    ),
  );
}
