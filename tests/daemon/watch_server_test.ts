import assert from "node:assert/strict";
import { ModelSync } from "../../lib/config/schema.ts";
import { startWatchServer } from "../../lib/daemon/watch_server.ts";
import { formatAddress } from "../../lib/daemon/listen_address.ts";
import type { WatchNews } from "../../lib/references/watch_event.ts";
import { openStore } from "../../lib/store/store.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

const HOUR_MS = 3_600_000;

Deno.test("a watch is healthy during a sync and an hour's pause, and stuck when it checks nothing for longer than it may", async () => {
  using dir = tempDir();
  const clock = new FakeClock("2026-11-29T12:00:00Z");
  const settings = ModelSync.parse({ references: { watch: { interval_sec: 300 } } });
  const context = testContext({ clock });
  await using server = startWatchServer(context, openStore(Deno, { modelsDir: `${dir.path}/models` }), {
    address: { hostname: "127.0.0.1", port: 0 },
    serve: (options, handler) => Deno.serve(options, handler),
    readSettings: () => Promise.resolve(settings),
    watch: settings.references.watch,
  });
  const health = async () => {
    const response = await fetch(`http://${formatAddress(server.address)}/healthz`);
    const { roles: { references } } = await response.json();
    return [response.status, references.nextDue];
  };
  const tell = (news: WatchNews) => server.onEvent({ at: clock.now(), ...news });
  tell({ kind: "poll-failed", message: "down", errors: 9, errorsMax: 10, retryInMs: HOUR_MS });
  clock.advance(HOUR_MS);
  assert.deepEqual(await health(), [200, "2026-11-29T13:00:00.000Z"]);
  tell({ kind: "sync-started", reason: "change" });
  clock.advance(5 * HOUR_MS);
  assert.deepEqual(await health(), [200, "2026-11-29T13:00:00.000Z"]);
  tell({ kind: "sync-completed" });
  assert.deepEqual(await health(), [200, "2026-11-29T18:05:00.000Z"]);
  clock.advance(3 * HOUR_MS);
  assert.deepEqual(await health(), [503, "2026-11-29T18:05:00.000Z"]);
});
