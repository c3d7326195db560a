import { Access } from "./access/access.ts";
import type { AccessSetup } from "./access/visit.ts";
import { IngestCounts } from "./api/ingest_counts.ts";
import { dashboardApp } from "./app.ts";
import type { App, Dashboard } from "./dashboard.ts";
import type { Alerting } from "./incidents/alerting.ts";
import { LiveFeed } from "./live_feed.ts";
import { LocalIntake } from "./local_intake.ts";
import { FleetMemory } from "./store/fleet_memory.ts";
import type { Web } from "./web.ts";

/** A dashboard that can answer requests. */
export interface OpenDashboard {
  readonly app: App;
  readonly access: Access;
  readonly live: LiveFeed;
  readonly dashboard: Dashboard;
}

/**
 * Puts a dashboard together. Reads nothing yet.
 *
 * @param readAlerting returns where alerts go to, as it is configured now; `undefined` where none go out
 */
export function openDashboard(
  web: Web,
  setup: AccessSetup,
  readAlerting: () => Promise<Alerting | undefined> = () => Promise.resolve(undefined),
): OpenDashboard {
  const fleet = new FleetMemory(web.kv);
  const live = new LiveFeed(web, fleet);
  const access = new Access(web, setup);
  const intake = new LocalIntake(web.clock);
  const counts = new IngestCounts();
  const dashboard: Dashboard = { ...web, fleet, live, access, intake, counts, readAlerting };
  return { app: dashboardApp(dashboard), access, live, dashboard };
}
