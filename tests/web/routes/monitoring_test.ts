import assert from "node:assert/strict";
import { textFormat } from "../../../lib/metrics/text_format.ts";
import { sourceOf } from "../../../lib/wire/event_names.ts";
import type { ReportEvent } from "../../../lib/wire/schema.ts";
import { dashboardMetrics, IngestCounts, METRICS_NODES_MAX } from "../../../web/api/metrics.ts";
import { viewFleet } from "../../../web/fleet/view_fleet.ts";
import { shownText } from "../../../web/shared/shown_text.ts";
import { reduceNode, unreportedNode } from "../../../web/store/reduce_node.ts";
import { apiWorld } from "../../helpers/api_world.ts";
import { HAS_PROMTOOL, promtoolSays, WITHOUT_PROMTOOL } from "../../helpers/promtool.ts";
import * as events from "../../helpers/web_events.ts";

const HOSTILE = [
  '"></text><script>alert(1)</script>',
  "a&b'c",
  "bot-\u202eparis",
  "a\u0000b\nc",
  'x"\\y',
  "💥".repeat(60),
];

Deno.test("the status is a sentence and counts, and ok only while there are nodes and all are healthy", async () => {
  await using world = await apiWorld();
  const status = async () => await (await world.send("/status.json")).json();
  const none = { up: 0, late: 0, down: 0, paused: 0, canary: 0, "never-reported": 0 };
  assert.deepEqual(await status(), {
    ok: false,
    sentence: "No node has reported yet.",
    nodes: 0,
    counts: none,
  });
  await world.fill(events.finished("bot-1"));
  assert.deepEqual(await status(), {
    ok: true,
    sentence: "The node is healthy.",
    nodes: 1,
    counts: { ...none, up: 1 },
  });
  await world.fill(events.failed("bot-2"));
  const { ok, sentence } = await status();
  assert.deepEqual([ok, sentence], [false, "1 of 2 nodes needs attention. The other one is healthy."]);
});

Deno.test("the dashboard is healthy while its database answers within two seconds", async () => {
  const kv = await Deno.openKv(":memory:");
  await using world = await apiWorld({ kv });
  const healthy = await world.send("/healthz");
  assert.deepEqual([healthy.status, await healthy.json()], [200, { ok: true }]);

  const get = kv.get.bind(kv);
  kv.get = () => new Promise(() => {});
  const slow = world.send("/healthz");
  while (world.clock.sleepsMs.length === 0) await Promise.resolve();
  world.clock.advance(2_000);
  const late = await slow;
  assert.equal(late.status, 503);
  assert.match(late.headers.get("retry-after") ?? "", /^\d+$/);
  assert.equal((await late.json()).error.code, "DATABASE_UNAVAILABLE");

  kv.get = get;
  kv.close();
  const closed = await world.send("/healthz");
  assert.equal(closed.status, 503);
  await closed.body?.cancel();
  assert.deepEqual(world.clock.sleepsMs, []);
});

Deno.test("a badge shows the state of a node, or its release, for a minute", async () => {
  await using world = await apiWorld();
  await world.fill(events.activated("bot-1/client", 42));
  const state = await world.send("/badge/bot-1/client.svg");
  assert.equal(state.headers.get("content-type"), "image/svg+xml; charset=utf-8");
  assert.equal(state.headers.get("cache-control"), "private, max-age=60");
  assert.match(await state.text(), /<title>bot-1\/client: up<\/title>/);
  const release = await (await world.send("/badge/bot-1/client.svg?show=release")).text();
  assert.match(release, /: 42 · 0000a02a0000/);
});

Deno.test("an unknown node has a badge that says so, with 404", async () => {
  await using world = await apiWorld();
  for (
    const path of [
      "/badge/bot-9.svg",
      "/badge/x",
      "/badge/%ff.svg",
      `/badge/${"x".repeat(4_000)}.svg`,
      "/badge/__proto__.svg",
    ]
  ) {
    const response = await world.send(path);
    assert.equal(response.status, 404, path);
    assert.match(await response.text(), /unknown node/);
  }
});

Deno.test("badges escape hostile names, and have no style that a content security policy would block", async () => {
  await using world = await apiWorld();
  for (const name of HOSTILE) {
    await world.fill(events.finished(name));
    const svg = await (await world.send(`/badge/${sourceOf(name)}.svg`)).text();
    assert.match(svg, /: up<\/title>/, name);
    assert.deepEqual(Array.from(svg.matchAll(/<([a-z]+)/g), ([, tag]) => tag), [
      "svg",
      "title",
      "rect",
      "path",
      "g",
      "text",
      "text",
    ]);
    assert.equal(shownText(svg), svg);
    assert.ok(!/ style=|<style|&(?!#\d+;)/.test(svg), name);
    assert.ok(svg.length < 2_000);
  }
});

Deno.test({
  name: `the metrics are valid to Prometheus, hostile names included${WITHOUT_PROMTOOL}`,
  ignore: !HAS_PROMTOOL,
  fn: async () => {
    await using world = await apiWorld();
    for (const name of HOSTILE) await world.fill(events.activated(name, 1), events.published(name, 2));
    const response = await world.send("/metrics");
    assert.equal(await promtoolSays(await response.text()), "");
  },
});

Deno.test("the metrics have the state and the lag of each node, and the received events", async () => {
  await using world = await apiWorld();
  const secret = await world.token("bot-1");
  await world.fill(
    events.published("trainer", 1, { time: "2026-11-28T00:00:00.000Z" }),
    events.published("trainer", 2),
    events.activated("bot-1", 1),
    events.activated("bot-2", 2),
    events.heartbeat("bot-2", {
      status: {
        withdrawn: [{ digest: events.digestOfRelease(2), state: "withdrawn", at: events.EVENT_TIME }],
      },
    }),
  );
  await world.post(secret, [events.finished("bot-1", { startedAt: "2026-11-29T06:30:00.000Z" }), 5, {}]);
  const text = await (await world.send("/metrics")).text();
  const lines = [
    'model_sync_dashboard_nodes{state="up"} 3',
    'model_sync_dashboard_node_active_release_withdrawn{node="bot-1"} 0',
    'model_sync_dashboard_node_active_release_withdrawn{node="bot-2"} 1',
    'model_sync_dashboard_node_up{node="bot-1"} 1',
    'model_sync_dashboard_node_late{node="bot-1"} 0',
    'model_sync_dashboard_node_behind_releases{node="bot-1"} 1',
    'model_sync_dashboard_node_active_release_info{node="bot-1",release="0000a0010000",sequence="1"} 1',
    `model_sync_dashboard_node_last_success_timestamp_seconds{node="bot-1"} ${
      Date.UTC(2026, 10, 29, 6, 30) / 1000
    }`,
    'model_sync_dashboard_events_total{result="accepted"} 1',
    'model_sync_dashboard_events_total{result="invalid"} 2',
    'model_sync_dashboard_ingest_duration_seconds_bucket{le="+Inf"} 1',
    "model_sync_dashboard_ingest_duration_seconds_count 1",
    'model_sync_dashboard_open_incidents{kind="down"} 0',
    "model_sync_dashboard_live_subscribers 0",
  ];
  for (const line of lines) assert.ok(text.split("\n").includes(line), line);
});

Deno.test("a fleet of any size has bounded metrics, with the nodes that have problems", () => {
  const rowOf = (event: ReportEvent) => reduceNode(unreportedNode(event.source), event, events.EVENT_TIME);
  const well = Array.from(
    { length: METRICS_NODES_MAX + 10 },
    (_, number) => events.finished(`bot-${number}`),
  );
  const rows = [...well, events.failed("the-last-one")].map(rowOf);
  const view = viewFleet(rows, new Date(events.EVENT_TIME));
  const source = { view, incidents: [], counts: new IngestCounts(), subscribers: 0 };
  const text = textFormat(dashboardMetrics(source), {});
  assert.equal(text.match(/^model_sync_dashboard_node_up\{/gm)?.length, METRICS_NODES_MAX);
  assert.match(text, /^model_sync_dashboard_nodes_left_out 11$/m);
  assert.match(text, /node_up\{node="the-last-one"\}/);
});
