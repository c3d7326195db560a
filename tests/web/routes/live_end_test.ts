import assert from "node:assert/strict";
import { openDashboard } from "../../../web/open_dashboard.ts";
import { LiveFeed, type LiveMessage } from "../../../web/routes/live_feed.ts";
import { FleetMemory } from "../../../web/store/fleet_memory.ts";
import { ingest } from "../../../web/store/ingest.ts";
import { changeSettings } from "../../../web/store/settings_row.ts";
import { FakeClock } from "../../helpers/fake_clock.ts";
import { fixedEnvironment, recordedLog } from "../../helpers/test_context.ts";
import * as events from "../../helpers/web_events.ts";

const BEAT_MS = 20_000;

Deno.test("a stream of changes ends after a minute, and the guard decides about the next one", async () => {
  const kv = await Deno.openKv(":memory:");
  const clock = new FakeClock("2026-11-29T12:00:00Z");
  const env = fixedEnvironment({ MODEL_SYNC_DASHBOARD_PASSWORD: "correct horse" });
  const { app, live } = openDashboard({ kv, clock, log: recordedLog() }, {
    env,
    isLoopback: true,
    isDeploy: false,
  });
  try {
    await changeSettings(kv, { isPublic: true });
    const response = await app.request("http://localhost/api/v1/live");
    assert.equal(response.status, 200);
    const pieces = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    assert.ok(pieces);
    let text = "";
    const readUntil = async (beats: number) => {
      while (text.split("still here").length - 1 < beats) {
        const { done, value } = await pieces.read();
        assert.ok(!done, `ended after ${text}`);
        text += value;
      }
    };
    for (let beat = 1; beat <= 3; beat++) {
      clock.advance(BEAT_MS);
      await readUntil(beat);
    }
    assert.equal((await pieces.read()).done, true);
    assert.equal(live.subscribers, 0);
    await changeSettings(kv, { isPublic: false });
    assert.equal((await app.request("http://localhost/api/v1/live")).status, 401);
  } finally {
    live.close();
    kv.close();
  }
});

Deno.test("open pages get a change that could not be read at first, once the database answers again", async () => {
  using kv = await Deno.openKv(":memory:");
  const [clock, log] = [new FakeClock("2026-11-29T12:00:00Z"), recordedLog()];
  await ingest({ kv, clock }, [events.finished("bot-1")]);
  const fleet = new FleetMemory(kv);
  const { version } = await fleet.read();
  const list = kv.list.bind(kv);
  kv.list = () => {
    throw new Error("the disk reports an error");
  };
  const feed = new LiveFeed({ clock, log }, fleet);
  const page = new AbortController();
  const { promise: heard, resolve: send } = Promise.withResolvers<LiveMessage>();
  feed.subscribe({ version, isOperator: true, signal: page.signal, send, end: () => {} });
  await ingest({ kv, clock }, [events.failed("bot-1")]);
  feed.poke();
  kv.list = list;
  clock.advance(1_000);
  assert.deepEqual((await heard).nodes, ["bot-1"]);
  const failure = "debug cannot check for changes: the disk reports an error";
  assert.deepEqual(log.lines, [failure, failure]);
  page.abort();
});
