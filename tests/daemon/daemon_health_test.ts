import assert from "node:assert/strict";
import { DaemonHealth, describeRoles } from "../../lib/daemon/daemon_health.ts";
import { FakeClock } from "../helpers/fake_clock.ts";

const MINUTE_MS = 60_000;

Deno.test("a daemon is alive while each of its loops ticks or runs its job, however long that takes", () => {
  const clock = new FakeClock("2026-11-29T12:00:00Z");
  const health = new DaemonHealth(clock, ["client", "publisher"]);
  assert.ok(health.isAlive());
  health.began("publisher");
  for (let minute = 0; minute < 10; minute++) {
    clock.advance(MINUTE_MS);
    health.ticked("client");
  }
  assert.ok(health.isAlive());
  clock.advance(3 * MINUTE_MS);
  assert.deepEqual(health.roles().map(({ role, isAlive }) => [role, isAlive]), [
    ["client", false],
    ["publisher", true],
  ]);
  assert.ok(!health.isAlive());
  health.ticked("client");
  assert.ok(health.isAlive());
});

Deno.test("a loop that never checks its schedule, or stops after its job, is stuck", () => {
  const clock = new FakeClock("2026-11-29T12:00:00Z");
  const health = new DaemonHealth(clock, ["client"]);
  clock.advance(3 * MINUTE_MS);
  assert.ok(!health.isAlive());
  health.began("client");
  assert.ok(health.isAlive());
  health.ended("client");
  assert.ok(health.isAlive());
  clock.advance(3 * MINUTE_MS);
  assert.ok(!health.isAlive());
});

Deno.test("describeRoles() says in one line what runs, what comes next and what is paused", () => {
  const clock = new FakeClock("2026-11-29T12:00:00Z");
  let changes = 0;
  const health = new DaemonHealth(clock, ["client", "publisher", "runpod_client"], () => void changes++);
  health.due("publisher", new Date("2026-11-30T05:00:00Z"));
  health.began("client");
  health.paused("runpod_client", new Date("2026-11-29T14:00:00Z"));
  assert.equal(changes, 3);
  assert.equal(
    describeRoles(health.roles(), "UTC"),
    "client: running since 2026-11-29 12:00 UTC; publisher: next run at 2026-11-30 05:00 UTC; " +
      "runpod_client: paused until 2026-11-29 14:00 UTC",
  );
  health.ended("client");
  health.paused("client", "resumed");
  clock.advance(3 * MINUTE_MS);
  health.ticked("client");
  assert.match(
    describeRoles(health.roles(), "UTC"),
    /^client: paused until resumed; publisher: stuck; runpod_client: stuck$/,
  );
});
