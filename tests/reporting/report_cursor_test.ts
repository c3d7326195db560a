import assert from "node:assert/strict";
import { join } from "node:path";
import type { Context } from "../../lib/core/context.ts";
import type { FileSystem } from "../../lib/core/files.ts";
import { deliverReports } from "../../lib/reporting/deliver_reports.ts";
import { reportingOf, RUN_BUDGET_MS } from "../../lib/reporting/report_run.ts";
import { historyFiles } from "../../lib/store/history.ts";
import { countingFs } from "../helpers/counting_fs.ts";
import { MortalProcess } from "../helpers/mortal_process.ts";
import { osError } from "../helpers/fake_fs.ts";
import { finished, finishedFrom, ReportWorld, runRecordOf } from "../helpers/report_world.ts";

function statePath(world: ReportWorld): string {
  return join(world.store.root, "reported.json");
}

const DAMAGES: Readonly<Record<string, (path: string) => void>> = {
  "missing": (path) => Deno.removeSync(path),
  "empty": (path) => Deno.writeTextFileSync(path, ""),
  "cut in half": (path) => Deno.truncateSync(path, 40),
  "JSON of something else": (path) => Deno.writeTextFileSync(path, '{"receiver": 7}'),
  "beyond the end of the history": (path) =>
    Deno.writeTextFileSync(path, Deno.readTextFileSync(path).replace(/"(start|end)":(\d+)/g, '"$1":9$2')),
  "in the middle of a line": (path) =>
    Deno.writeTextFileSync(path, Deno.readTextFileSync(path).replace(/"start":(\d+)/, '"start":1')),
  "at another run's line": (path) =>
    Deno.writeTextFileSync(path, Deno.readTextFileSync(path).replace("run-2", "run-9")),
};

for (const [damage, inflict] of Object.entries(DAMAGES)) {
  Deno.test(`a cursor that is ${damage} sends the whole history again, which costs the dashboard nothing`, async () => {
    await using world = new ReportWorld();
    world.record(1, 2);
    await world.deliver();
    inflict(statePath(world));
    world.record(3);
    assert.deepEqual(await world.deliver(), { delivered: 3, problem: undefined });
    assert.deepEqual(world.dashboard.ids(), finished(1, 2, 3));
    assert.deepEqual(await world.deliver(), { delivered: 0, problem: undefined });
  });
}

Deno.test("a history that was rotated in between loses no line", async () => {
  await using world = new ReportWorld();
  world.recordMany(1, 3);
  await world.deliver();
  world.recordMany(4, 5);
  const [history, older = "", oldest = ""] = historyFiles(world.store);
  Deno.renameSync(history ?? "", older);
  world.recordMany(6, 7);
  Deno.renameSync(older, oldest);
  Deno.renameSync(history ?? "", older);
  world.recordMany(8, 8);
  assert.deepEqual(await world.deliver(), { delivered: 5, problem: undefined });
  assert.deepEqual(world.dashboard.ids(), finishedFrom(1, 8));
});

Deno.test("a lost history is reported again from its oldest line", async () => {
  await using world = new ReportWorld();
  world.recordMany(1, 3);
  await world.deliver();
  Deno.removeSync(world.store.history);
  world.record(4);
  assert.deepEqual(await world.deliver(), { delivered: 1, problem: undefined });
  assert.deepEqual(world.dashboard.ids(), finishedFrom(1, 4));
});

Deno.test("a run that is killed before, during or after its delivery loses nothing and stores nothing twice", async () => {
  const deliver = (world: ReportWorld, { fs, http, clock }: Context) =>
    world.deliver({ fs, http, clock }, [], { ...world.store, fs });
  const alive = new MortalProcess(0);
  {
    await using world = new ReportWorld();
    world.record(1, 2);
    await alive.run((context) => deliver(world, context));
    assert.deepEqual(world.dashboard.ids(), finished(1, 2));
  }
  let sentBefore = 0;
  for (let diesAt = 1; diesAt <= alive.steps.length; diesAt++) {
    await using world = new ReportWorld();
    world.record(1, 2);
    await new MortalProcess(diesAt).run((context) => deliver(world, context));
    sentBefore += world.dashboard.events.size > 0 ? 1 : 0;
    world.record(3);
    assert.equal((await world.deliver()).problem, undefined, `step ${diesAt}`);
    assert.deepEqual(world.dashboard.ids(), finished(1, 2, 3), `step ${diesAt}`);
    world.record(4);
    assert.deepEqual(await world.deliver(), { delivered: 1, problem: undefined }, `step ${diesAt}`);
  }
  // The process is killed on both sides of the request.
  assert.ok(sentBefore > 0 && sentBefore < alive.steps.length, `${sentBefore} of ${alive.steps.length}`);
});

Deno.test("a disk that takes no cursor costs one warning and a resend, and no record is lost", async () => {
  await using world = new ReportWorld();
  world.recordMany(1, 600);
  const fs: FileSystem = {
    ...countingFs((step) => {
      if (step.includes("reported.json")) throw osError("ENOSPC");
    }),
  };
  const context = world.context({ fs });
  const reporting = reportingOf(context, { ...world.store, fs }, world.settings());
  assert.ok(reporting !== undefined);
  const { problem } = await deliverReports(context, reporting, RUN_BUDGET_MS, [runRecordOf(601)]);
  assert.equal(problem, undefined);
  assert.deepEqual(context.log.lines, [
    "warn Cannot note how much of the history is reported: the disk is full",
  ]);
  assert.equal(world.dashboard.requests.length, 3);
  assert.deepEqual(world.dashboard.ids(), finishedFrom(1, 601));
  assert.deepEqual(await world.deliver(), { delivered: 600, problem: undefined });
  assert.deepEqual(world.dashboard.ids(), finishedFrom(1, 601));
});

Deno.test("a dashboard that was unreachable for a day has everything after one delivery", async () => {
  await using world = new ReportWorld();
  world.dashboard.fault = () => new Response("", { status: 502 });
  for (let run = 1; run <= 96; run++) {
    world.recordMany(run, run);
    if (run % 24 === 0) assert.equal((await world.deliver()).delivered, 0);
  }
  world.dashboard.fault = () => undefined;
  assert.deepEqual(await world.deliver(), { delivered: 96, problem: undefined });
  assert.deepEqual(world.dashboard.ids(), finishedFrom(1, 96));
});

Deno.test("a dashboard that was unreachable for a month has everything after a few deliveries", async () => {
  await using world = new ReportWorld();
  const [history = "", older = ""] = historyFiles(world.store);
  // Every five minutes.
  const runs = 30 * 24 * 12;
  world.recordMany(1, 6_000, older);
  world.recordMany(6_001, runs, history);
  let answers = 0;
  world.dashboard.fault = ({ count, body }) => {
    assert.ok(count <= 500 && body.length <= 512 * 1024);
    answers++;
    // The time that a dashboard with 2,000 events a second needs for a batch of 500.
    world.clock.advance(250);
    return Response.json({ taken: count });
  };
  let [delivered, deliveries] = [0, 0];
  while (delivered < runs) {
    const delivery = await world.deliver();
    assert.equal(delivery.problem, undefined);
    delivered += delivery.delivered;
    deliveries++;
  }
  assert.equal(delivered, runs);
  // One does, unless a program that another test starts holds the lock for a moment: its copy of the file is closed late.
  assert.ok(deliveries <= 3, String(deliveries));
  assert.ok(answers <= Math.ceil(runs / 500) + deliveries - 1, String(answers));
});

Deno.test("a record of a later version is skipped, and so is a torn line", async () => {
  await using world = new ReportWorld();
  world.record(1);
  Deno.writeTextFileSync(world.store.history, '{"runId": "later", "outcome": "teleported"}\n{"torn\n', {
    append: true,
  });
  Deno.writeTextFileSync(world.store.history, `${JSON.stringify(runRecordOf(2))}\n`, { append: true });
  assert.deepEqual(await world.deliver(), { delivered: 2, problem: undefined });
  assert.deepEqual(world.dashboard.ids(), finished(1, 2));
});
