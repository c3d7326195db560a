import { messageOf } from "../lib/core/errors.ts";
import type { Alerting } from "./incidents/alerting.ts";
import { watchIncidents, type Watching } from "./incidents/watch_incidents.ts";

/** What runs beside the pages, as `Deno.cron` takes it: every minute, without retries, because the next run is near. */
export const WATCH_JOB = { name: "watch nodes", schedule: "* * * * *" } as const;

/** Looks for nodes that became late or down or work again, and alerts about them. Never throws. */
export async function watchJob(web: Watching, alerting: Alerting | undefined): Promise<void> {
  try {
    await watchIncidents(web, alerting);
  } catch (error) {
    web.log.error(`cannot watch the nodes: ${messageOf(error)}`);
  }
}
