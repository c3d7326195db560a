import { messageOf } from "../lib/core/errors.ts";
import type { Alerting, ReadAlerting } from "./incidents/alerting.ts";
import { watchIncidents } from "./incidents/watch_incidents.ts";
import type { FleetWeb } from "./store/fleet_memory.ts";
import { sweep } from "./store/retention.ts";

/**
 * The dashboard's jobs as `Deno.cron` schedules (UTC). A failed job is not retried: the next one follows soon and does
 * the same work.
 */
export const WATCH_JOB = { name: "watch nodes", schedule: "* * * * *" } as const;
/** Each sweep removes up to 2,000 entries: half a million a day. */
export const SWEEP_JOB = { name: "sweep old entries", schedule: "*/5 * * * *" } as const;

/** Checks all nodes, opens and closes incidents, and sends alerts. Never throws. */
export async function watchJob(web: FleetWeb, alerting: Alerting | undefined): Promise<void> {
  try {
    await watchIncidents(web, alerting);
  } catch (error) {
    web.log.error(`cannot watch the nodes: ${messageOf(error)}`);
  }
}

/** Removes some of the entries that are older than the retention or belong to removed nodes. Never throws. */
export async function sweepJob(web: FleetWeb): Promise<void> {
  try {
    const removed = await sweep(web);
    if (removed > 0) web.log.debug(`removed ${removed} old entries from the database`);
  } catch (error) {
    web.log.error(`cannot remove old entries: ${messageOf(error)}`);
  }
}

const MINUTE_MS = 60_000;

/** Runs both jobs every minute until the signal is aborted, where no platform schedules them. Never throws. */
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
