import assert from "node:assert/strict";
import { UsageError } from "../../../lib/core/errors.ts";
import { openPages } from "../../helpers/pages_world.ts";
import * as events from "../../helpers/web_events.ts";

const FULL = new TypeError("database or disk is full");
const now = "2026-11-29T12:00:00Z";

Deno.test("if runs of this machine are missing, the fleet page shows the reason, and health answers 503", async () => {
  using world = await openPages([events.finished("bot-1")], { now });
  const { intake, clock } = world;
  assert.equal((await world.see("/healthz")).status, 200);
  intake.begin();
  intake.fail(FULL);
  clock.advance(9_000);
  assert.doesNotMatch((await world.see("/")).text, /are not shown/, "a moment is no problem");
  clock.advance(1_000);
  intake.begin();
  intake.fail(FULL);
  const page = (await world.see("/")).text;
  assert.match(
    page,
    /Runs of this machine have been missing since today 12:00\. .*the disk is full; free some disk space/,
  );
  const health = await world.see("/healthz");
  assert.equal(health.status, 503);
  assert.match(health.html, /LOCAL_RUNS_MISSING.*the disk is full/);
  intake.begin();
  intake.succeed();
  assert.doesNotMatch((await world.see("/")).text, /are not shown/);
  assert.equal((await world.see("/healthz")).status, 200);
});

Deno.test("a database that another process has locked is a problem after ten seconds", async () => {
  using world = await openPages([], { now });
  world.intake.begin();
  world.clock.advance(10_000);
  assert.match(
    (await world.see("/")).text,
    /have been missing since .*another process may have locked it\./,
  );
  assert.equal((await world.see("/healthz")).status, 503);
});

Deno.test("a long history that is stored in parts is not a problem", async () => {
  using world = await openPages([], { now });
  world.intake.begin();
  for (let part = 0; part < 10; part++) {
    world.clock.advance(9_000);
    world.intake.proceed();
  }
  assert.equal(world.intake.problem, undefined);
  assert.equal((await world.see("/healthz")).status, 200);
});

Deno.test("the public does not see the problem, and health shows no path", async () => {
  using world = await openPages([events.finished("bot-1")], { now, isPublic: true });
  world.intake.begin();
  world.intake.fail(new UsageError("Cannot read /srv/secret/store.json: it is damaged", { code: "DAMAGED" }));
  world.clock.advance(10_000);
  assert.doesNotMatch((await world.see("/")).text, /not shown|secret/);
  const health = await world.see("/healthz");
  assert.equal(health.status, 503);
  assert.doesNotMatch(health.html, /secret/);
});
