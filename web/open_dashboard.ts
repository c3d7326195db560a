import { Access } from "./access/access.ts";
import type { AccessSetup } from "./access/visit.ts";
import { IngestCounts } from "./api/metrics.ts";
import { dashboardApp } from "./app.ts";
import type { App, Dashboard } from "./routes/dashboard.ts";
import type { ReadAlerting } from "./incidents/alerting.ts";
import { LiveFeed } from "./routes/live_feed.ts";
import { LocalIntake } from "./local/local_intake.ts";
import { FleetMemory } from "./store/fleet_memory.ts";
import type { Web } from "./shared/web.ts";

/** An open dashboard that answers requests. */
export interface OpenDashboard {
  readonly app: App;
  readonly access: Access;
  readonly live: LiveFeed;
  readonly dashboard: Dashboard;
}

/** Creates a dashboard. Reads nothing before the first request. */
export function openDashboard(
  web: Web,
  setup: AccessSetup,
  readAlerting: ReadAlerting = () => Promise.resolve(undefined),
): OpenDashboard {
  const fleet = new FleetMemory(web.kv);
  const live = new LiveFeed(web, fleet);
  const access = new Access(web, setup);
  const intake = new LocalIntake(web.clock);
  const counts = new IngestCounts();
  const dashboard: Dashboard = { ...web, fleet, live, access, intake, counts, readAlerting };
  return { app: dashboardApp(dashboard), access, live, dashboard };
}
