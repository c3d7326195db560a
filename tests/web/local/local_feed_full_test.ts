import assert from "node:assert/strict";
import { LocalIntake } from "../../../web/local/local_intake.ts";
import { localFeed } from "../../../web/local/local_feed.ts";
import { WatchedStore } from "./watched_store.ts";

/** Waits until the feed sleeps after a check. */
async function asleep({ clock }: WatchedStore): Promise<void> {
  while (clock.sleepsMs.length === 0) await new Promise((resolve) => setTimeout(resolve));
}

Deno.test("a feed on a full disk reports the problem until everything is stored, and loses nothing", async () => {
  await using world = await WatchedStore.open();
  const { clock, kv, context } = world;
  const intake = new LocalIntake(clock);
  const stopping = new AbortController();
  const atomic = kv.atomic.bind(kv);
  kv.atomic = () => {
    throw new TypeError("database or disk is full");
  };
  world.record(1);
  const { machine } = world;
  const end = localFeed({ ...context, signal: stopping.signal }, { kv, clock }, machine, {
    intake,
    onChange: () => {},
  });
  for (let second = 0; second < 11; second++) {
    await asleep(world);
    clock.advance(1_000);
  }
  await asleep(world);
  assert.match(intake.problem?.reason ?? "", /the disk is full/);
  assert.equal(
    context.log.lines.filter((line) => line.includes("cannot show this machine's runs")).length,
    1,
  );
  kv.atomic = atomic;
  clock.advance(1_000);
  await asleep(world);
  assert.equal(intake.problem, undefined);
  assert.equal((await world.row()).last?.runId, "run-1");
  assert.equal((await world.row()).report?.freeBytes, world.freeBytes);
  stopping.abort();
  await end;
});

Deno.test("while the feed rests after a failure, its checks still report it", async () => {
  await using world = await WatchedStore.open();
  const { kv, clock } = world;
  world.record(1);
  await world.look();
  const atomic = kv.atomic.bind(kv);
  kv.atomic = () => {
    clock.advance(2_000);
    throw new TypeError("database is locked");
  };
  world.freeBytes = 1;
  await assert.rejects(world.look(60_000), /locked/);
  await assert.rejects(world.look(), /locked/, "a second later");
  kv.atomic = atomic;
  await world.look(60_000);
  assert.equal((await world.row()).report?.freeBytes, 1);
});
