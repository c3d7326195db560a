import assert from "node:assert/strict";
import { removeNode } from "../../../web/store/remove_node.ts";
import { setIncident } from "../../../web/store/incident_rows.ts";
import type { IncidentRow } from "../../../web/store/rows.ts";
import { sweep } from "../../../web/store/retention.ts";
import { openSwept, type SweptStore } from "./swept_store.ts";
import * as events from "../../helpers/web_events.ts";

const BOT = "bot-1/client";

function incident(startedAt: string, endedAt: string | null): IncidentRow {
  return {
    node: BOT,
    kind: "down",
    reason: "No heartbeat.",
    startedAt,
    endedAt,
    ending: endedAt === null ? null : "recovered",
    heard: "",
    alertedAt: null,
    alertedTo: [],
    recoveryAlertedTo: [],
    claimedUntil: null,
  };
}

/** A node with an entry in every list. */
async function fill(store: SweptStore, node: string): Promise<void> {
  const quarantine = [{
    digest: events.digestOfRelease(3),
    sequence: 3,
    reason: "bad",
    at: store.daysAgo(1),
  }];
  const status = { canary: events.canary(2), quarantine };
  await store.take(
    events.published(node, 1),
    events.activated(node, 1, { startedAt: store.daysAgo(2) }),
    events.failed(node, { startedAt: store.daysAgo(1) }),
    events.pullRequest(node),
    events.heartbeat(node, { time: store.daysAgo(0), status }),
  );
}

Deno.test("a removed node disappears from every list, and no other node changes", async () => {
  using store = await openSwept();
  await fill(store, "bot-1/client-2");
  const others = await store.keys();
  await fill(store, BOT);
  const operation = store.kv.atomic();
  setIncident(operation, incident(store.daysAgo(3), store.daysAgo(2)));
  setIncident(operation, incident(store.daysAgo(1), null));
  await operation.commit();
  assert.ok((await store.fleet.read()).rows.has(BOT));
  assert.equal(await removeNode(store, BOT), true);
  const left = await store.keys();
  assert.deepEqual(
    left.filter((key) => !key.startsWith("pulse")),
    others.filter((key) => !key.startsWith("pulse")),
  );
  assert.deepEqual([...(await store.fleet.read()).rows.keys()], ["bot-1/client-2"]);
});

Deno.test("a removed node with a long history disappears from the fleet immediately, and the sweep removes the rest in steps", async () => {
  using store = await openSwept();
  for (let hour = 0; hour < 24; hour++) {
    await store.take(
      ...Array.from(
        { length: 100 },
        (_, index) => events.failed(BOT, { startedAt: store.daysAgo(1 + hour / 24 + index / 10_000) }),
      ),
    );
  }
  assert.equal(await removeNode(store, BOT), false);
  assert.equal((await store.fleet.read()).rows.size, 0);
  let steps = 0;
  while ((await store.keysWith(BOT)).length > 0) {
    await sweep(store);
    assert.ok(++steps < 20);
  }
  assert.ok(steps > 1);
});

Deno.test("a node that reports while it is being removed keeps its new reports", async () => {
  using store = await openSwept();
  await store.take(
    ...Array.from(
      { length: 800 },
      (_, index) => events.failed(BOT, { startedAt: store.daysAgo(1 + index / 1_000) }),
    ),
  );
  assert.equal(await removeNode(store, BOT), false);
  store.clock.advance(60_000);
  const startedAt = store.daysAgo(0);
  await store.take(events.activated(BOT, 7, { startedAt }));
  for (let step = 0; step < 10; step++) await sweep(store);
  const runs = await store.keysWith("run bot-1");
  assert.deepEqual(runs, [`run ${BOT} ${startedAt} ${events.runIdOf(startedAt)}`]);
  assert.equal((await store.keysWith("activation ")).length, 1);
  assert.deepEqual(await store.keysWith("forgetting"), []);
});

Deno.test("removing an unknown node is not an error", async () => {
  using store = await openSwept();
  assert.equal(await removeNode(store, "nobody"), true);
});
