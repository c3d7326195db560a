import { messageOf } from "../lib/core/errors.ts";
import type { Alerting, ReadAlerting } from "./incidents/alerting.ts";
import { watchIncidents } from "./incidents/watch_incidents.ts";
import type { FleetWeb } from "./store/fleet_memory.ts";
import { sweep } from "./store/retention.ts";

/**
 * What runs beside the pages, as `Deno.cron` takes it (UTC). A run that fails needs no retry: the next one is near and
 * does the same.
 */
export const WATCH_JOB = { name: "watch nodes", schedule: "* * * * *" } as const;
/** At 2,000 entries a time, half a million a day. */
export const SWEEP_JOB = { name: "sweep old entries", schedule: "*/5 * * * *" } as const;

/** Looks for nodes that became late or down or work again, and alerts about them. Never throws. */
export async function watchJob(web: FleetWeb, alerting: Alerting | undefined): Promise<void> {
  try {
    await watchIncidents(web, alerting);
  } catch (error) {
    web.log.error(`cannot watch the nodes: ${messageOf(error)}`);
  }
}

/** Removes a part of what is older than the retention, and of the nodes that were removed. Never throws. */
export async function sweepJob(web: FleetWeb): Promise<void> {
  try {
    const removed = await sweep(web);
    if (removed > 0) web.log.debug(`removed ${removed} old entries from the database`);
  } catch (error) {
    web.log.error(`cannot remove old entries: ${messageOf(error)}`);
  }
}

const MINUTE_MS = 60_000;

/** Runs the dashboard's jobs every minute until the signal is aborted, where no platform does. Never throws. */
export async function runJobs(
  web: FleetWeb & { readonly readAlerting: ReadAlerting },
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await watchJob(web, await web.readAlerting());
    await sweepJob(web);
    await web.clock.sleep(MINUTE_MS, signal).catch(() => {});
  }
}
