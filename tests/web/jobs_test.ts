import assert from "node:assert/strict";
import { SWEEP_JOB, sweepJob, WATCH_JOB, watchJob } from "../../web/jobs.ts";
import { startWatch } from "../helpers/watched_fleet.ts";
import * as events from "../helpers/web_events.ts";
import { ingest } from "../../web/store/ingest.ts";

Deno.test("a failing job is logged and does not throw", async () => {
  const dashboard = await startWatch();
  dashboard.kv.close();
  await watchJob(dashboard, undefined);
  await sweepJob(dashboard);
  const [watch, sweep] = dashboard.log.lines;
  assert.match(watch ?? "", /^error cannot watch the nodes: .+$/);
  assert.match(sweep ?? "", /^error cannot remove old entries: .+$/);
});

Deno.test("the sweep logs the number of removed entries, and nothing else", async () => {
  using dashboard = await startWatch();
  await sweepJob(dashboard);
  await ingest(dashboard, [events.finished("bot-1", { startedAt: "2026-01-01T00:00:00Z" })]);
  dashboard.clock.advance(24 * 3_600_000);
  await sweepJob(dashboard);
  assert.deepEqual(dashboard.log.lines, ["debug removed 3 old entries from the database"]);
});

Deno.test("jobs have names and schedules that Deno.cron accepts", () => {
  for (const { name, schedule } of [WATCH_JOB, SWEEP_JOB]) {
    assert.match(name, /^[a-z ]{1,64}$/);
    assert.equal(schedule.split(" ").length, 5);
  }
  assert.deepEqual([WATCH_JOB.schedule, SWEEP_JOB.schedule], ["* * * * *", "*/5 * * * *"]);
});
