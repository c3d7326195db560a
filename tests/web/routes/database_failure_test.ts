import assert from "node:assert/strict";
import { openPages } from "../../helpers/pages_world.ts";
import * as events from "../../helpers/web_events.ts";

Deno.test("pages and answers say that the database is not available", async () => {
  const world = await openPages([events.finished("bot-1")]);
  assert.equal((await world.see("/")).status, 200);
  // Every read fails, as in a database that another process has locked.
  world.kv.close();
  for (const path of ["/", "/nodes/bot-1", "/releases"]) {
    const page = await world.see(path);
    assert.equal(page.status, 503, path);
    assert.match(page.text, /database/);
  }
  const answer = await world.see("/api/v1/fleet");
  assert.equal(answer.status, 503);
  assert.match(answer.html, /database/);
});

Deno.test("a defect of the dashboard is an error page that tells readers nothing of its cause", async () => {
  using world = await openPages([events.finished("bot-1")]);
  world.kv.list = () => {
    throw new Error("an odd value of bot-1");
  };
  const { status, text } = await world.see("/nodes/bot-1");
  assert.equal(status, 500);
  assert.match(text, /This page could not be shown .*log has the reason/);
  assert.doesNotMatch(text, /odd value/);
});
