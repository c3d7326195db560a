import assert from "node:assert/strict";
import { changeSettings } from "../../../web/store/settings_row.ts";
import { type ApiWorld, apiWorld } from "../../helpers/api_world.ts";
import { fillIncidents, incidentRow } from "../../helpers/web_rows.ts";
import * as events from "../../helpers/web_events.ts";

const BOT = "bot-paris/client";
const PASSWORD = { MODEL_SYNC_DASHBOARD_PASSWORD: "correct horse battery staple" };

async function textOf(world: ApiWorld, path: string, status = 200): Promise<string> {
  const response = await world.send(path);
  assert.equal(response.status, status, path);
  return await response.text();
}

/** The text that a reader sees, without markup. */
function words(html: string): string {
  return html.replace(/<[^>]*>/g, " ").replaceAll(/\s+/g, " ");
}

Deno.test("the page lists open incidents first, then past ones with their duration and end", async () => {
  await using world = await apiWorld();
  await fillIncidents(
    world.kv,
    incidentRow(BOT, { startedAt: "2026-11-29T06:48:00.000Z", endedAt: null }),
    incidentRow("bot-oslo", { kind: "late", ending: "paused", alertedAt: null }),
    incidentRow("bot-bern", {
      kind: "late",
      startedAt: "2026-11-26T06:00:00.000Z",
      endedAt: "2026-11-26T06:10:00.000Z",
      ending: "forgotten",
    }),
    incidentRow("bot-rome", { startedAt: "2026-11-27T06:03:00.000Z", endedAt: "2026-11-27T06:10:30.000Z" }),
  );
  const html = await textOf(world, "/incidents");
  const text = words(html);
  assert.match(text, /1 node is down\./);
  assert.match(
    text,
    /Open 1 .* bot-paris\/client down No heartbeat for 3 min 10 s.* today 06:48 12 min so far .*Past /,
  );
  assert.match(
    text,
    /bot-oslo was late .* 2 h 14 min paused by an operator none bot-rome was down .* 7 min 30 s .*bot-bern was late .* 10 min removed by an operator/,
  );
  assert.match(html, /<title[^>]*>1 node is down · model-sync<\/title>/);
  assert.match(html, /favicon\.svg\?state=bad/);
  assert.match(html, /href="\/nodes\/bot-paris\/client"/);
});

Deno.test("a node that is down is on the page before it has an incident", async () => {
  await using world = await apiWorld();
  await world.fill(events.heartbeat("bot-1", { time: world.clock.now().toISOString() }));
  assert.match(words(await textOf(world, "/incidents")), /No node is late or down\./);
  world.clock.advance(10 * 60_000);
  const text = words(await textOf(world, "/incidents"));
  assert.match(text, /1 node is down\..*Not yet an incident .* bot-1 down No heartbeat for 10 min/);
  assert.doesNotMatch(text, /No incidents so far/);
});

Deno.test("without incidents, the page says how to get alerts", async () => {
  await using world = await apiWorld();
  const text = words(await textOf(world, "/incidents"));
  assert.match(
    text,
    /No node is late or down\..*No incidents so far.*model_sync\.alerts.*MODEL_SYNC_DASHBOARD_ALERTS/,
  );
  assert.match(words(await textOf(world, "/incidents?node=bot-1")), /No incidents for this node/);
});

Deno.test("incidents can be filtered by node, and the pages of a long list have each incident once", async () => {
  await using world = await apiWorld();
  const same = Array.from({ length: 130 }, (_, index) => incidentRow(`bot-${index}`));
  await fillIncidents(world.kv, ...same, incidentRow("bot-1", { startedAt: "2026-11-20T06:00:00.000Z" }));
  const seen: string[] = [];
  let path: string | undefined = "/incidents";
  while (path !== undefined) {
    const html: string = await textOf(world, path);
    seen.push(...Array.from(html.matchAll(/<tr role="row" +data-node="([^"]+)"/g), ([, node]) => node ?? ""));
    path = /rel="next" href="([^"]+)"/.exec(html)?.[1]?.replaceAll("&amp;", "&");
  }
  assert.equal(seen.length, 131);
  assert.equal(new Set(seen).size, 130);
  const one = await textOf(world, "/incidents?node=bot-1");
  assert.equal([...one.matchAll(/data-node="bot-1"/g)].length, 2);
  assert.equal([...one.matchAll(/data-node="bot-2"/g)].length, 0);
});

Deno.test("an invalid cursor gets 400, and hostile texts are shown as text", async () => {
  await using world = await apiWorld();
  await fillIncidents(
    world.kv,
    incidentRow(`<script>alert(1)</script>\u202e`, { reason: `"><img src=x onerror=alert(1)>` }),
  );
  const html = await textOf(world, "/incidents");
  assert.doesNotMatch(html.replaceAll(/data-node="[^"]*"/g, ""), /<script>alert|<img src=x|\u202e/);
  for (const cursor of ["x", "2026-11-28T06:03:00.000Z,a,b,c", "%", "9".repeat(9_000)]) {
    await textOf(world, `/incidents?before=${encodeURIComponent(cursor)}`, 400);
  }
  await textOf(world, `/incidents?node=${"n".repeat(5_000)}`);
});

Deno.test("the public sees that there are incidents, and the true name of no node", async () => {
  await using world = await apiWorld({ env: PASSWORD });
  await changeSettings(world.kv, { isPublic: true });
  const hidden = Array.from({ length: 60 }, (_, index) => `secret-host-${index}/client`);
  await world.fill(...hidden.map((node) => events.heartbeat(node, { host: node.split("/")[0] ?? "" })));
  await fillIncidents(
    world.kv,
    ...hidden.map((node) => incidentRow(node)),
    incidentRow("secret-host-gone/client"),
  );
  const seen: string[] = [];
  let path: string | undefined = "/incidents";
  while (path !== undefined) {
    const html: string = await textOf(world, path);
    assert.doesNotMatch(html, /secret-host/);
    assert.doesNotMatch(html, />Alert</);
    seen.push(...Array.from(html.matchAll(/<tr role="row" +data-node="([^"]+)"/g), ([, node]) => node ?? ""));
    path = /rel="next" href="([^"]+)"/.exec(html)?.[1]?.replaceAll("&amp;", "&");
  }
  assert.equal(new Set(seen).size, 61);
  const [name = ""] = seen.filter((node) => node.startsWith("client-"));
  const one = await textOf(world, `/incidents?node=${name}`);
  assert.equal([...one.matchAll(/<tr role="row" +data-node=/g)].length, 1);
  assert.equal(
    [...(await textOf(world, "/incidents?node=secret-host-1%2Fclient")).matchAll(/<tr role="row"/g)].length,
    0,
  );
  assert.doesNotMatch(await textOf(world, "/incidents.atom"), /secret-host/);
});
