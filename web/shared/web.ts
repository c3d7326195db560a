import type { Clock } from "../../lib/core/clock.ts";
import type { Log } from "../../lib/core/log.ts";

/** What the outside world is to the dashboard. */
export interface Web {
  readonly kv: Deno.Kv;
  readonly clock: Clock;
  readonly log: Log;
}

/** For whom a page is made: `public` sees states and release names, no hosts, paths or errors. */
export type Viewer = "operator" | "public";
