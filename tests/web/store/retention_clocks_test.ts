import assert from "node:assert/strict";
import { keys } from "../../../web/store/keys.ts";
import { readActivations } from "../../../web/store/read_activations.ts";
import { readNews, readRuns } from "../../../web/store/read_runs.ts";
import { ENTRIES_OF_NODE_MAX } from "../../../web/store/sweep_runs.ts";
import { openSwept, type SweptStore } from "./swept_store.ts";
import * as events from "../../helpers/web_events.ts";

const BOT = "bot-1/client";
const { digestOfRelease } = events;

async function runsOf({ kv }: SweptStore): Promise<number> {
  return (await readRuns(kv, BOT, { limit: 200 })).rows.length;
}

Deno.test("a node whose clock is a year ahead or behind keeps its runs while its clock is wrong", async () => {
  // Entries from before the clock was ahead keep their age.
  for (const [days, kept] of [[365, 2], [-365, 3]] as const) {
    using store = await openSwept();
    const ago = (more: number) => store.daysAgo(days + more);
    await store.take(
      ...[100, 50, 1].map((more) => events.finished(BOT, { startedAt: ago(more) })),
      events.heartbeat(BOT, { time: ago(0) }),
    );
    await store.round();
    assert.equal(await runsOf(store), kept, `${days}`);
  }
});

Deno.test("runs and activations from a clock that was ahead are removed once it is right", async () => {
  using store = await openSwept();
  await store.take(
    events.activated(BOT, 1, { startedAt: store.daysAgo(5) }),
    events.activated(BOT, 2, { startedAt: store.daysAgo(-365) }),
    events.failed(BOT, { startedAt: store.daysAgo(-300) }),
    events.heartbeat(BOT, { time: store.daysAgo(-365) }),
  );
  assert.equal((await readNews(store.kv, { limit: 10 })).rows.length, 3);
  store.clock.advance(10 * 60_000);
  const status = { current: events.statusRelease(2), activatedAt: store.daysAgo(-365) };
  await store.take(events.heartbeat(BOT, { time: store.daysAgo(0), status }));
  assert.equal((await store.keysWith("activation bot-1")).filter((key) => key.includes("2027-")).length, 1);
  await store.round();
  assert.equal(await runsOf(store), 1);
  const active = await readActivations(store.kv, BOT);
  assert.equal(active[0]?.digest, digestOfRelease(1));
  assert.deepEqual((await store.keysWith("activation bot-1")).filter((key) => key.includes("2027-")), []);
  assert.equal((await readNews(store.kv, { limit: 10 })).rows.length, 1);
});

Deno.test("the active release is kept even if all its reports come from a wrong clock", async () => {
  using store = await openSwept();
  await store.take(events.activated(BOT, 1, { startedAt: store.daysAgo(-365) }));
  await store.round();
  assert.deepEqual((await readActivations(store.kv, BOT)).map(({ digest }) => digest), [digestOfRelease(1)]);
});

Deno.test("a node's clock at the end of time removes nothing of other nodes", async () => {
  using store = await openSwept();
  await store.take(
    events.finished(BOT, { startedAt: store.daysAgo(1) }),
    events.finished("hostile", { startedAt: "9999-12-31T23:59:59.999Z", durationMs: 1e15 }),
    events.heartbeat("hostile", { time: "9999-12-31T23:59:59.999Z" }),
    events.finished("hostile-2", { startedAt: "0001-01-01T00:00:00.000Z" }),
    events.heartbeat("hostile-2", { time: "0001-01-01T00:00:00.000Z" }),
  );
  await store.round();
  assert.equal(await runsOf(store), 1);
});

Deno.test("of a node that floods its history, the newest part is kept", async () => {
  using store = await openSwept();
  const begin = Date.parse(store.daysAgo(30));
  const total = ENTRIES_OF_NODE_MAX + 700;
  for (let first = 0; first < total; first += 500) {
    const operation = store.kv.atomic();
    for (let index = first; index < Math.min(first + 500, total); index++) {
      const startedAt = new Date(begin + index * 60_000).toISOString();
      operation.set(keys.run(BOT, startedAt, `${index}`), null);
    }
    await operation.commit();
  }
  await store.round();
  const left = await Array.fromAsync(store.kv.list({ prefix: keys.runs(BOT) }), ({ key }) => key.at(-1));
  assert.equal(left.length, ENTRIES_OF_NODE_MAX);
  assert.equal(left[0], "700");
});
