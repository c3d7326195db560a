import { systemClock } from "../../lib/core/clock.ts";
import { createToken } from "../../web/access/tokens.ts";
import { openKv } from "../../web/store/open_kv.ts";
import { testContext } from "../helpers/test_context.ts";

/**
 * Prints the secret of a new token for a node. Run it with the runtime that will read the database: older runtimes
 * cannot read what newer ones write.
 */
const [place = "", node = ""] = Deno.args;
const { log, env } = testContext();
using kv = await openKv(place, env);
const { secret } = await createToken({ kv, clock: systemClock, log }, "node", node);
await Deno.stdout.write(new TextEncoder().encode(secret));
