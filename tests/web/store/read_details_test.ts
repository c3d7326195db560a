import assert from "node:assert/strict";
import { ingest } from "../../../web/store/ingest.ts";
import { readActivations } from "../../../web/store/read_activations.ts";
import { readHeartbeat } from "../../../web/store/heartbeats.ts";
import { readRelease } from "../../../web/store/read_release.ts";
import { readRun } from "../../../web/store/read_runs.ts";
import type { ReportEvent } from "../../../lib/wire/schema.ts";
import { FakeClock } from "../../helpers/fake_clock.ts";
import * as events from "../../helpers/web_events.ts";

const { digestOfRelease } = events;

async function filled(...batch: readonly ReportEvent[]): Promise<Deno.Kv> {
  const kv = await Deno.openKv(":memory:");
  await ingest({ kv, clock: new FakeClock("2026-11-29T07:00:00Z") }, batch);
  return kv;
}

function at(hour: number): string {
  return new Date(Date.UTC(2026, 10, 20, hour)).toISOString();
}

Deno.test("a run is found by its id, with its complete error and log, and by its node if several have it", async () => {
  const log = Array.from({ length: 100 }, (_, line) => `${line} ${"x".repeat(1_000)}`);
  using kv = await filled(events.failed("bot-1", { log }), events.finished("bot-2"));
  const runId = events.runIdOf();
  const first = await readRun(kv, runId);
  assert.equal(first?.row.node, "bot-1");
  assert.deepEqual(first.details?.log, log);
  assert.deepEqual(first.nodes, ["bot-1", "bot-2"]);
  assert.equal((await readRun(kv, runId, "bot-2"))?.row.outcome, "unchanged");
  assert.equal(await readRun(kv, runId, "bot-3"), undefined);
  assert.equal(await readRun(kv, "none"), undefined);
  assert.equal(await readRun(kv, "x".repeat(5_000)), undefined);
  assert.equal(await readRun(kv, runId, "x".repeat(5_000)), undefined);
});

Deno.test("the newest heartbeat of a node is read completely", async () => {
  const heartbeat = events.heartbeat("bot-1");
  using kv = await filled(heartbeat);
  assert.deepEqual(await readHeartbeat(kv, "bot-1"), heartbeat.data);
  assert.equal(await readHeartbeat(kv, "bot-2"), undefined);
});

Deno.test("periods begin with the release that was active at the start of the range", async () => {
  using kv = await filled(
    ...[1, 2, 3, 4].map((number) =>
      events.activated("bot-1", number, { startedAt: at(number), durationMs: 0 })
    ),
  );
  const periods = await readActivations(kv, "bot-1", { from: at(2.5) });
  assert.deepEqual(
    periods.map(({ sequence, at, until }) => ({ sequence, at, until })),
    [
      { sequence: 2, at: at(2), until: at(3) },
      { sequence: 3, at: at(3), until: at(4) },
      { sequence: 4, at: at(4), until: null },
    ],
  );
  assert.equal((await readActivations(kv, "bot-1")).length, 4);
  assert.equal((await readActivations(kv, "bot-1", { from: at(10) })).length, 1);
});

Deno.test("an activation that a heartbeat and a run report is one period, from the end of the run", async () => {
  using kv = await filled(
    events.heartbeat("bot-1", {
      time: at(3),
      status: { current: events.statusRelease(2), activatedAt: at(2) },
    }),
    events.activated("bot-1", 2, { startedAt: at(2), durationMs: 500 }),
  );
  const periods = await readActivations(kv, "bot-1");
  assert.deepEqual(periods.map(({ at, runId }) => ({ at, runId })), [
    { at: new Date(Date.parse(at(2)) + 500).toISOString(), runId: events.runIdOf(at(2)) },
  ]);
});

Deno.test("a release has its publications, files, quarantines, canaries and where it was active", async () => {
  using kv = await filled(
    events.published("trainer", 2, { time: at(1), signer: "abc" }),
    events.activated("bot-1", 2, { startedAt: at(2), durationMs: 0 }),
    events.activated("bot-2", 2, { startedAt: at(3), durationMs: 0 }),
    events.activated("bot-1", 3, { startedAt: at(4), durationMs: 0 }),
    events.activated("bot-1", 2, { startedAt: at(5), durationMs: 0 }),
    events.heartbeat("bot-2", {
      time: at(6),
      status: {
        current: events.statusRelease(2),
        canary: events.canary(2),
        quarantine: [{ digest: digestOfRelease(2), sequence: 2, reason: "worse", at: at(5) }],
      },
    }),
  );
  const release = await readRelease(kv, digestOfRelease(2));
  assert.equal(release?.row.sequence, 2);
  assert.deepEqual(release.files, events.filesOfRelease(2));
  assert.deepEqual(release.publications.map(({ node }) => node), ["trainer"]);
  assert.deepEqual(release.quarantines.map(({ node, reason }) => [node, reason]), [["bot-2", "worse"]]);
  assert.deepEqual(release.canaries.map(({ node }) => node), ["bot-2"]);
  assert.deepEqual(release.active.map(({ node, at, until }) => [node, at, until]), [
    ["bot-1", at(5), null],
    ["bot-2", at(3), null],
    ["bot-1", at(2), at(4)],
  ]);
});

Deno.test("an invalid or unknown digest gives no release", async () => {
  using kv = await filled(events.finished("bot-1"));
  for (
    const text of [digestOfRelease(9), "", "sha256:x", "x".repeat(10_000), digestOfRelease(1).toUpperCase()]
  ) {
    assert.equal(await readRelease(kv, text), undefined);
  }
});
