import type { Dashboard } from "./dashboard.ts";
import type { Watching } from "./incidents/watch_incidents.ts";
import { sweepJob, watchJob } from "./jobs.ts";

const MINUTE_MS = 60_000;

/** Runs the dashboard's jobs every minute until the signal is aborted, where no platform does. Never throws. */
export async function runJobs(
  web: Watching & Pick<Dashboard, "readAlerting">,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await watchJob(web, await web.readAlerting());
    await sweepJob(web);
    await web.clock.sleep(MINUTE_MS, signal).catch(() => {});
  }
}
