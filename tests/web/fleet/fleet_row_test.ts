import assert from "node:assert/strict";
import { HOUR_MS, laterBy, MINUTE_MS } from "../../helpers/web_rows.ts";
import { openPages } from "../../helpers/pages_world.ts";
import * as events from "../../helpers/web_events.ts";

/** Rows of the fleet: changes during a run, and the name of a machine without a daemon. */

const AT = "2026-11-29T06:00:00.000Z";

Deno.test("a due time that a run has served is not shown as missed until the node reports the next one", async () => {
  const node = "bot-1/client";
  const reported = events.heartbeat(node, {
    time: laterBy(AT, -MINUTE_MS),
    status: { next: { client: AT } },
  });
  using world = await openPages([reported], { now: laterBy(AT, 30_000) });
  assert.match((await world.see("/")).text, /was due today 06:00/);
  for (const event of [events.started(node, { startedAt: AT }), events.finished(node, { startedAt: AT })]) {
    await world.add(event);
    assert.doesNotMatch((await world.see("/")).text, /was due/);
    const { text } = await world.see("/nodes/bot-1/client");
    assert.match(text, /Next run –/);
    assert.match(text, /06:00 UTC –/, "the schedule's next run");
  }
  // A run of another role does not serve it, and a future due time is shown whatever ran.
  await world.add(events.heartbeat(node, { time: laterBy(AT, 40_000) }));
  assert.match(
    (await world.see("/nodes/bot-1/client")).text,
    /Next run 30 Nov 06:00|Next run tomorrow 06:00/,
  );
});

Deno.test("a run of another command does not serve a role's due time", async () => {
  const node = "bot-1/client";
  const reported = events.heartbeat(node, {
    time: laterBy(AT, -MINUTE_MS),
    status: { next: { client: AT } },
  });
  const verify = events.finished(node, { startedAt: AT, command: "verify" });
  using world = await openPages([reported, verify], { now: laterBy(AT, 30_000) });
  assert.match((await world.see("/")).text, /was due today 06:00/);
});

Deno.test("the fleet shows a run in progress, and the state still shows the earlier problem", async () => {
  const node = "bot-1/client";
  const running = { runId: "r-2", command: "pull", startedAt: AT, step: "fetching" };
  using world = await openPages([
    events.failed(node, { startedAt: laterBy(AT, -HOUR_MS) }),
    events.heartbeat(node, { time: laterBy(AT, 1_000), status: { running: [running] } }),
  ], { now: laterBy(AT, 30_000) });
  const { text } = await world.see("/");
  assert.match(text, /failed to pull/);
  assert.match(text, /running pull, fetching, since today 06:00/i);
});

Deno.test("a run of an otherwise unknown node is shown", async () => {
  using world = await openPages([events.started("bot-1/client", { startedAt: AT })], {
    now: laterBy(AT, 30_000),
  });
  assert.match((await world.see("/")).text, /running pull, since today 06:00/i);
});

Deno.test("a node without a daemon is named by the scheduled command that it runs most, not by its last one", async () => {
  const run = (command: string, minutes: number) =>
    events.finished("bot-1/client", { command, startedAt: laterBy(AT, minutes * MINUTE_MS) });
  using world = await openPages(
    [run("pull", 0), run("pull", 1), run("hf-pull", 2), run("verify", 3), run("verify", 4), run("verify", 5)],
    { now: laterBy(AT, HOUR_MS) },
  );
  const name = async () => /(\S+), no daemon/.exec((await world.see("/")).text)?.[1];
  assert.equal(await name(), "pull");
  await world.add(run("hf-pull", 6), run("rollback", 7));
  assert.equal(await name(), "hf-pull", "of two that are as common, the later one");
});

Deno.test("a node without a daemon that ran no scheduled command is named by its last one", async () => {
  const run = events.finished("bot-1/client", { command: "rollback", startedAt: AT });
  using world = await openPages([run], { now: laterBy(AT, HOUR_MS) });
  assert.match((await world.see("/")).text, /rollback, no daemon/);
});
