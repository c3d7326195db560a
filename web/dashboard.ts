import type { Hono } from "hono";
import type { Access } from "./access/access.ts";
import type { AccessEnv } from "./access/visit.ts";
import type { IngestCounts } from "./api/ingest_counts.ts";
import type { Alerting } from "./incidents/alerting.ts";
import type { LiveFeed } from "./live_feed.ts";
import type { LocalIntake } from "./local_intake.ts";
import type { FleetMemory } from "./store/fleet_memory.ts";
import type { Web } from "./web.ts";

/** What the pages of sign-ins and settings are made of. */
export interface Guarded extends Web {
  readonly access: Access;
}

/** What routes are made of. */
export interface Dashboard extends Guarded {
  readonly fleet: FleetMemory;
  readonly live: LiveFeed;
  readonly counts: IngestCounts;
  /** Returns where alerts go to, as it is configured now; `undefined` where none go out. */
  readonly readAlerting: () => Promise<Alerting | undefined>;
  /** How it goes with the runs of the machine that it runs on. */
  readonly intake: LocalIntake;
}

/** What the guard has found out about a request before its route sees it. */
export type AppEnv = AccessEnv;

/** A part of the application: each file in `routes` makes one. */
export type App = Hono<AppEnv>;
