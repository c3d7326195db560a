import assert from "node:assert/strict";
import { publicNames, publicRows } from "../../../web/viewer/public_view.ts";
import { viewFleet } from "../../../web/fleet/view_fleet.ts";
import { NodeRow } from "../../../web/store/rows.ts";
import { unreportedNode } from "../../../web/store/reduce_node.ts";
import { apiWorld } from "../../helpers/api_world.ts";
import * as events from "../../helpers/web_events.ts";

const KEY = new Uint8Array(32).fill(7);

function named(node: string, host: string | null): NodeRow {
  return { ...unreportedNode(node), host };
}

function aliasOf(node: string, host: string | null, key = KEY): string {
  return publicNames([named(node, host)], key).get(node) ?? "";
}

Deno.test("a name that an operator chose is public; one that contains a host is not", () => {
  assert.equal(aliasOf("bot-paris", "ip-10-0-0-1"), "bot-paris");
  const hidden: [string, string | null, RegExp][] = [
    ["web1/client", "web1", /^client-[0-9a-f]{6}$/],
    ["web1/publisher", "web1", /^publisher-[0-9a-f]{6}$/],
    ["web1", "web1", /^node-[0-9a-f]{6}$/],
    ["WEB1.example.org", "web1.example.org", /^node-/],
    ["web1", "web1.example.org", /^node-/],
    ["prod web1 (paris)", "web1.example.org", /^node-/],
    ["xweb1x", "web1", /^node-/],
    [`${"h".repeat(99)}…/client`, "h".repeat(200), /^client-/],
    ["other/client", "web1", /^client-/],
    ["never-reported", null, /^node-/],
  ];
  for (const [node, host, pattern] of hidden) assert.match(aliasOf(node, host), pattern, node);
});

Deno.test("a public name depends only on the key, and reveals nothing without it", () => {
  assert.equal(aliasOf("web1/client", "web1"), aliasOf("web1/client", "web1"));
  assert.notEqual(aliasOf("web1/client", "web1"), aliasOf("web1/client", "web1", new Uint8Array(32)));
});

Deno.test("every node has its own public name, even if another name looks like one", () => {
  const taken = aliasOf("web1/client", "web1");
  const rows = [named("web1/client", "web1"), named(taken, "elsewhere")];
  for (let number = 0; number < 6_000; number++) rows.push(named(`host${number}/client`, `host${number}`));
  const names = publicNames(rows, KEY);
  assert.equal(new Set(names.values()).size, rows.length);
  assert.equal(names.get(taken), taken);
});

Deno.test("the public sees the same states and problems as operators, but no reasons", async () => {
  await using world = await apiWorld();
  const secret = "secret of web1";
  await world.fill(
    events.published("web1/publisher", 2, { time: "2026-11-27T00:00:00.000Z", host: "web1" }),
    events.failed("web1/client", {
      host: "web1",
      modelsDir: `/srv/${secret}`,
      error: { code: "X", message: secret, hint: secret },
    }),
    events.heartbeat("bot-2", {
      host: "web2",
      time: "2026-11-29T06:59:50.000Z",
      status: {
        modelFolderFault: secret,
        paused: {},
        canary: events.canary(1, { status: "paused", reason: secret, startedAt: secret }),
        schedules: { client: events.schedule({ times: [secret] }) },
        freeBytes: 1,
      },
    }),
    events.heartbeat("bot-3", {
      host: "web3",
      time: "2026-11-29T06:59:50.000Z",
      status: {
        schedules: {
          client: events.schedule({
            paused: { since: events.EVENT_TIME, until: null, host: "web3", reason: secret },
          }),
        },
      },
    }),
  );
  const { rows } = await world.dashboard.fleet.read();
  const shown = publicRows(rows.values(), KEY);
  for (const row of shown) assert.deepEqual(NodeRow.parse(row), row);
  const now = world.clock.now();
  const [own, theirs] = [viewFleet(rows.values(), now), viewFleet(shown, now)];
  assert.deepEqual(
    theirs.nodes.map(({ state, group, troubles }) => [state.kind, group, troubles.map(({ kind }) => kind)]),
    own.nodes.map(({ state, group, troubles }) => [state.kind, group, troubles.map(({ kind }) => kind)]),
  );
  assert.deepEqual(new Set(theirs.nodes.map(({ state }) => state.kind)), new Set(["up", "canary", "paused"]));
  const text = JSON.stringify(theirs);
  for (const hidden of [secret, "web1", "web2", "web3", "/srv"]) assert.ok(!text.includes(hidden), hidden);
});
