import { messageOf } from "../lib/core/errors.ts";
import type { Alerting } from "./incidents/alerting.ts";
import { watchIncidents, type Watching } from "./incidents/watch_incidents.ts";
import { sweep } from "./store/retention.ts";

/**
 * What runs beside the pages, as `Deno.cron` takes it (UTC). A run that fails needs no retry: the next one is near and
 * does the same.
 */
export const WATCH_JOB = { name: "watch nodes", schedule: "* * * * *" } as const;
/** At 2,000 entries a time, half a million a day. */
export const SWEEP_JOB = { name: "sweep old entries", schedule: "*/5 * * * *" } as const;

/** Looks for nodes that became late or down or work again, and alerts about them. Never throws. */
export async function watchJob(web: Watching, alerting: Alerting | undefined): Promise<void> {
  try {
    await watchIncidents(web, alerting);
  } catch (error) {
    web.log.error(`cannot watch the nodes: ${messageOf(error)}`);
  }
}

/** Removes a part of what is older than the retention, and of the nodes that were removed. Never throws. */
export async function sweepJob(web: Watching): Promise<void> {
  try {
    const removed = await sweep(web);
    if (removed > 0) web.log.debug(`removed ${removed} old entries from the database`);
  } catch (error) {
    web.log.error(`cannot remove old entries: ${messageOf(error)}`);
  }
}
