import type { Alerting } from "./incidents/alerting.ts";
import type { Watching } from "./incidents/watch_incidents.ts";
import { sweepJob, watchJob } from "./jobs.ts";

const MINUTE_MS = 60_000;

/**
 * Runs the dashboard's jobs every minute until the signal is aborted, where no platform does. Never throws.
 *
 * @param readAlerting returns where alerts go to, as it is configured now
 */
export async function runJobs(
  web: Watching,
  signal: AbortSignal,
  readAlerting: () => Promise<Alerting | undefined>,
): Promise<void> {
  while (!signal.aborted) {
    await watchJob(web, await readAlerting());
    await sweepJob(web);
    await web.clock.sleep(MINUTE_MS, signal).catch(() => {});
  }
}
