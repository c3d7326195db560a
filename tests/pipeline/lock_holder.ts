import { systemClock } from "../../lib/core/clock.ts";
import { acquireLock } from "../../lib/core/lock.ts";

/** Takes a lock, prints that, and holds it until its standard input closes. */
const [path = ""] = Deno.args;
using _lock = await acquireLock(Deno, path, { command: "pull", runId: "r1", host: "gpu-1" }, systemClock);
await Deno.stdout.write(new TextEncoder().encode("locked\n"));
await Deno.stdin.read(new Uint8Array(1));
