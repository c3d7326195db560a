import type { Hono } from "hono";
import type { Access } from "../access/access.ts";
import type { AccessEnv } from "../access/visit.ts";
import type { IngestCounts } from "../api/metrics.ts";
import type { ReadAlerting } from "../incidents/alerting.ts";
import type { LiveFeed } from "./live_feed.ts";
import type { LocalIntake } from "../local/local_intake.ts";
import type { Web } from "../shared/web.ts";
import type { FleetWeb } from "../store/fleet_memory.ts";

/** The part of a dashboard that the routes of sign-in and settings need. */
export interface Guarded extends Web {
  readonly access: Access;
}

/** The dashboard as routes use it. */
export interface Dashboard extends FleetWeb, Guarded {
  readonly live: LiveFeed;
  readonly counts: IngestCounts;
  readonly readAlerting: ReadAlerting;
  /** Whether runs of the dashboard's own machine are stored. */
  readonly intake: LocalIntake;
}

/** The variables of a request that the guard sets. */
export type AppEnv = AccessEnv;

/** A part of the application. Each file in `routes` makes one. */
export type App = Hono<AppEnv>;
