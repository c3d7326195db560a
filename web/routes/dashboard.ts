import type { Hono } from "hono";
import type { Access } from "../access/access.ts";
import type { AccessEnv } from "../access/visit.ts";
import type { IngestCounts } from "../api/metrics.ts";
import type { ReadAlerting } from "../incidents/alerting.ts";
import type { LiveFeed } from "./live_feed.ts";
import type { LocalIntake } from "../local/local_intake.ts";
import type { Web } from "../shared/web.ts";
import type { FleetWeb } from "../store/fleet_memory.ts";

/** What the routes of sign-ins and settings need. */
export interface Guarded extends Web {
  readonly access: Access;
}

/** What routes need. */
export interface Dashboard extends FleetWeb, Guarded {
  readonly live: LiveFeed;
  readonly counts: IngestCounts;
  readonly readAlerting: ReadAlerting;
  /** How it goes with the runs of the machine that it runs on. */
  readonly intake: LocalIntake;
}

/** What the guard has found out about a request before its route sees it. */
export type AppEnv = AccessEnv;

/** A part of the application: each file in `routes` makes one. */
export type App = Hono<AppEnv>;
