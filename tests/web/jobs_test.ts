import assert from "node:assert/strict";
import { WATCH_JOB, watchJob } from "../../web/jobs.ts";
import { startWatch } from "../helpers/watched_fleet.ts";

Deno.test("a job that fails is logged and throws nothing", async () => {
  const dashboard = await startWatch();
  dashboard.kv.close();
  await watchJob(dashboard, undefined);
  assert.match(dashboard.log.lines.join("\n"), /^error cannot watch the nodes: .+$/);
  assert.match(WATCH_JOB.schedule, /^\* \* \* \* \*$/);
});
