import { ingest } from "../../../web/store/ingest.ts";
import { FakeClock } from "../../helpers/fake_clock.ts";
import * as events from "../../helpers/web_events.ts";

/**
 * A process that stores runs of one node, a batch a run: `ingest_process.ts FILE FIRST COUNT`. It starts when its
 * standard input ends, so that two processes write at the same time.
 */
if (import.meta.main) {
  const [path, first = "0", count = "0"] = Deno.args;
  using kv = await Deno.openKv(path);
  const clock = new FakeClock("2026-11-29T07:00:00.000Z");
  Deno.stdout.writeSync(new TextEncoder().encode("ready\n"));
  for await (const _ of Deno.stdin.readable) continue;
  for (let index = 0; index < Number(count); index++) {
    const startedAt = new Date(Date.UTC(2026, 10, 29, 6, 2 * index + Number(first))).toISOString();
    await ingest({ kv, clock }, [events.activated("bot-1", 2, { startedAt })]);
  }
}
