import type { Clock } from "../../lib/core/clock.ts";
import type { Log } from "../../lib/core/log.ts";

/** The dashboard's outside world. */
export interface Web {
  readonly kv: Deno.Kv;
  readonly clock: Clock;
  readonly log: Log;
}

/** The reader of a page. `public` sees states and release names, but no hosts, paths or errors. */
export type Viewer = "operator" | "public";
