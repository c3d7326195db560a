import assert from "node:assert/strict";
import { join } from "node:path";
import { systemClock } from "../../lib/core/clock.ts";
import { appendHistory, type RunRecord } from "../../lib/store/history.ts";
import { finished, finishedFrom, ReportWorld, runRecordOf } from "../helpers/report_world.ts";

Deno.test("each run of the history is reported once, oldest first", async () => {
  await using world = new ReportWorld();
  world.record(1, 2, 3);
  assert.deepEqual(await world.deliver(), { delivered: 3, problem: undefined });
  assert.deepEqual(world.dashboard.ids(), finished(1, 2, 3));
  assert.deepEqual(await world.deliver(), { delivered: 0, problem: undefined });
  world.record(4);
  assert.deepEqual(await world.deliver(), { delivered: 1, problem: undefined });
  assert.deepEqual(world.dashboard.ids(), finished(1, 2, 3, 4));
  // Nothing to report: no request is sent.
  assert.deepEqual(world.dashboard.requests.map(({ count }) => count), [3, 1]);
});

Deno.test("an event names its node and its run, in the format of the shared schema", async () => {
  await using world = new ReportWorld();
  appendHistory(
    world.store,
    runRecordOf(7, {
      command: "references-sync",
      outcome: "proposed",
      startedAt: "2026-11-21T06:00:00Z",
      durationMs: 2_500,
      steps: [{ name: "read", startMs: 0, durationMs: 900 }],
      pullRequests: [{ repository: "o/r", outcome: "created", number: 5, url: "https://h/5", changes: 2 }],
    }),
  );
  await world.deliver();
  assert.equal(world.dashboard.unusable, 0);
  const [proposed, run] = Array.from(world.dashboard.events.values());
  assert.deepEqual(
    [proposed?.id, proposed?.type, proposed?.subject, proposed?.source],
    ["run-7/pull-request/o/r", "model-sync.pull-request.v1", "o/r", "bot-1/references"],
  );
  assert.deepEqual(run, {
    specversion: "1.0",
    id: "run-7/finished",
    source: "bot-1/references",
    type: "model-sync.run.finished.v1",
    time: "2026-11-21T06:00:02.500Z",
    subject: "run-7",
    datacontenttype: "application/json",
    data: {
      runId: "run-7",
      command: "references-sync",
      outcome: "proposed",
      startedAt: "2026-11-21T06:00:00.000Z",
      durationMs: 2_500,
      host: "bot-1",
      steps: [{ name: "read", startMs: 0, durationMs: 900 }],
      pullRequests: [{ repository: "o/r", outcome: "created", number: 5, url: "https://h/5", changes: 2 }],
      modelsDir: world.store.modelsDir,
    },
  });
});

Deno.test("a killed run is reported with its record", async () => {
  await using world = new ReportWorld();
  const error = { code: "KILLED", message: "the run was killed; the next run has undone its work" };
  appendHistory(world.store, runRecordOf(1, { outcome: "interrupted", durationMs: 0, error }));
  await world.deliver();
  const [event] = world.dashboard.events.values();
  assert.ok(event?.type === "model-sync.run.finished.v1");
  assert.deepEqual([event.data.outcome, event.data.error], ["interrupted", error]);
});

Deno.test("a record that the disk did not take is reported after the history, and moves no cursor", async () => {
  await using world = new ReportWorld();
  world.record(1);
  await world.deliver({}, [runRecordOf(2)]);
  assert.deepEqual(world.dashboard.ids(), finished(1, 2));
  world.record(3);
  assert.deepEqual(await world.deliver(), { delivered: 1, problem: undefined });
});

Deno.test("odd records are cut to the bounds of the schema, and one without a time is skipped", async () => {
  await using world = new ReportWorld();
  const steps = Array.from({ length: 150 }, (_, index) => ({ name: "s", startMs: index, durationMs: 1 }));
  const log = Array.from({ length: 300 }, (_, index) => `${index} ${"x".repeat(500)}`);
  appendHistory(world.store, runRecordOf(1, { startedAt: "yesterday" }));
  appendHistory(
    world.store,
    runRecordOf(2, { steps, log, durationMs: -5, host: "h".repeat(900), bytes: 1e300 }),
  );
  appendHistory(world.store, runRecordOf(3, { runId: "", error: { code: "", message: "m".repeat(9_000) } }));
  assert.deepEqual(await world.deliver(), { delivered: 3, problem: undefined });
  assert.equal(world.dashboard.unusable, 0);
  assert.deepEqual(world.dashboard.ids(), ["run-2/finished", "unknown/finished"]);
  const [event] = world.dashboard.events.values();
  assert.ok(event?.type === "model-sync.run.finished.v1");
  assert.deepEqual([event.data.steps?.length, event.data.log?.at(-1)?.slice(0, 4)], [100, "299 "]);
  assert.ok(JSON.stringify(event).length < 64 * 1024);
});

Deno.test("a record with odd numbers, times or hosts is valid, and so are those after it", async () => {
  await using world = new ReportWorld();
  const odd: readonly Partial<RunRecord>[] = [
    { durationMs: 1e300 },
    { durationMs: 0.5 },
    { startedAt: "9998-12-31T23:59:59Z", durationMs: 1e12 },
    { startedAt: "2026-11-21" },
    { startedAt: "2026-11-21T06:00:00+05:30" },
    { host: "" },
    { host: "\u{10ffff}".repeat(2_000) },
    { host: "a/b%2F?#c" },
    { sequence: -1, files: 1.5, bytes: Number.MAX_VALUE },
    { steps: [{ name: "", startMs: -1, durationMs: 1e300 }] },
    { pullRequests: [{ repository: "r".repeat(4_000), outcome: "", number: -3, changes: -1 }] },
  ];
  for (const [index, changed] of odd.entries()) appendHistory(world.store, runRecordOf(index + 1, changed));
  for (const startedAt of ["+010000-01-01T00:00:00Z", "-000001-01-01T00:00:00Z", "1969-01-01T00:00:00Z"]) {
    appendHistory(world.store, runRecordOf(99, { startedAt }));
  }
  assert.deepEqual(await world.deliver(), { delivered: odd.length + 3, problem: undefined });
  assert.equal(world.dashboard.unusable, 0);
  assert.deepEqual(world.dashboard.ids("finished"), finishedFrom(1, odd.length));
});

Deno.test("several processes that deliver at once send each run once, in order", async () => {
  await using world = new ReportWorld();
  world.recordMany(1, 1_100);
  // Each waits for the batches of the others.
  const deliveries = await Promise.all([1, 2, 3].map(() => world.deliver({ clock: systemClock })));
  assert.deepEqual(deliveries.map(({ problem }) => problem), [undefined, undefined, undefined]);
  assert.deepEqual(world.dashboard.ids(), finishedFrom(1, 1_100));
  const counts = world.dashboard.requests.map(({ count }) => count);
  assert.equal(counts.reduce((sum, count) => sum + count, 0), 1_100);
});

Deno.test("another dashboard gets the whole history", async () => {
  await using world = new ReportWorld();
  await using other = new ReportWorld();
  world.record(1, 2);
  await world.deliver();
  await other.deliver({}, [], world.store);
  assert.deepEqual(other.dashboard.ids(), finished(1, 2));
  assert.ok(Deno.statSync(join(world.store.root, "reported.json")).isFile);
});
