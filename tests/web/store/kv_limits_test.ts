import assert from "node:assert/strict";
import { serialize } from "node:v8";
import fc from "fast-check";
import { sourceOf } from "../../../lib/wire/event_names.ts";
import { parseBatch } from "../../../lib/wire/parse_batch.ts";
import type { EventOf, ReportEvent } from "../../../lib/wire/schema.ts";
import { ingest } from "../../../web/store/ingest.ts";
import { keys } from "../../../web/store/keys.ts";
import { readHeartbeat } from "../../../web/store/heartbeats.ts";
import { readRun } from "../../../web/store/read_runs.ts";
import { CanaryCourse, NodeRow } from "../../../web/store/rows.ts";
import { FakeClock } from "../../helpers/fake_clock.ts";
import { cutOffAt, memoryKv } from "./kv_tools.ts";
import { anyEvent } from "../../helpers/report_events.ts";
import * as events from "../../helpers/web_events.ts";

/** The largest names in the wire format: three bytes each in a key, and the character that needs two. */
const LONG = "\u20ac".repeat(255);
const NULLS = "\0".repeat(255);
const LONG_NODES = [
  "\u{1f600}".repeat(128),
  "\0".repeat(512),
  "\u20ac".repeat(170),
];
const TEXT = "\u20ac".repeat(4_096);
const clock = new FakeClock("2026-11-29T07:00:00.000Z");

/** The events as the route would store them. */
function valid(batch: readonly unknown[]): readonly ReportEvent[] {
  const { events, invalid } = parseBatch(batch);
  assert.equal(invalid, 0, "the events are valid");
  return events;
}

/** A run, its publication and its pull request. */
function longest(node: string, runId: string, index = 0): ReportEvent[] {
  const startedAt = new Date(Date.UTC(2026, 10, 29, 0, index)).toISOString();
  const names = { runId, host: LONG, command: LONG, carrier: LONG };
  return [
    events.started(node, { ...names, startedAt }),
    events.activated(node, 2 + index, { ...names, startedAt, signer: LONG, modelsDir: TEXT }),
    events.failed(node, {
      ...names,
      startedAt,
      outcome: LONG,
      error: { code: LONG, message: TEXT, hint: TEXT },
      log: Array.from({ length: 100 }, () => TEXT),
      pullRequests: Array.from({ length: 100 }, () => ({
        repository: LONG,
        url: TEXT,
        outcome: LONG,
        changes: 1,
      })),
    }),
    events.published(node, 2 + index, {
      ...names,
      revision: TEXT,
      filesTotal: 2_000,
      files: Array.from({ length: 2_000 }, () => ({ path: TEXT, size: 1, sha256: "a".repeat(64) })),
    }),
    events.pullRequest(node, { runId, host: LONG, repository: LONG, url: TEXT, outcome: LONG }),
  ].map((event) => ({ ...event, id: "id", subject: "subject" }));
}

function longestHeartbeat(node: string, index = 0): ReportEvent {
  const time = new Date(Date.UTC(2026, 10, 29, 0, index)).toISOString();
  const names = { host: LONG, version: LONG, configFingerprint: LONG };
  return {
    ...events.heartbeat(node, { time, ...names, status: heartbeatStatus(index) }),
    id: "id",
    subject: "subject",
  };
}

function heartbeatStatus(index: number): Partial<EventOf<"heartbeat">["data"]["status"]> {
  const roles = Array.from({ length: 20 }, (_, role) => `role_${role}`);
  const pause = { since: events.EVENT_TIME, until: null, host: LONG, reason: TEXT };
  const metric = events.canary(2).metrics[0];
  assert.ok(metric);
  return {
    modelsDir: TEXT,
    modelFolderFault: TEXT,
    releases: Array.from({ length: 10_000 }, () => events.statusRelease(1)),
    quarantine: Array.from({ length: 3_000 }, (_, number) => ({
      digest: events.digestOfRelease(number),
      sequence: number,
      reason: TEXT.slice(0, 400),
      at: TEXT.slice(0, 100),
    })),
    schedules: Object.fromEntries(
      roles.map((role) => [
        role,
        events.schedule({
          times: Array.from({ length: 100 }, () => TEXT),
          timeZone: LONG,
          deny: Array.from({ length: 20 }, () => ({ start: TEXT, seconds: 1 })),
          paused: pause,
        }),
      ]),
    ),
    next: Object.fromEntries(roles.map((role) => [role, events.EVENT_TIME])),
    canary: events.canary(2, {
      reason: TEXT,
      status: LONG,
      startedAt: TEXT,
      concludedAt: TEXT,
      metrics: Array.from({ length: 100 }, (_, number) => ({
        ...metric,
        name: `${number}${TEXT}`.slice(0, 4_096),
        direction: LONG,
        lastAt: new Date(Date.UTC(2026, 10, 29, 0, index)).toISOString(),
      })),
    }),
    running: Array.from({ length: 100 }, (_, number) => ({
      runId: `${number}${LONG}`.slice(0, 255),
      command: LONG,
      startedAt: events.EVENT_TIME,
      step: LONG,
    })),
  };
}

Deno.test("the longest valid names and texts fit into the limits of the database", async () => {
  for (const node of LONG_NODES) {
    assert.ok(sourceOf(node).length <= 1_536);
    for (const runId of [LONG, NULLS]) {
      using kv = await memoryKv();
      await ingest({ kv, clock }, valid([...longest(node, runId), longestHeartbeat(node)]));
      const row = NodeRow.parse((await kv.get(keys.node(node))).value);
      assert.equal(row.node, node);
      assert.equal((await readHeartbeat(kv, node))?.intervalSeconds, 60);
    }
  }
});

Deno.test("a row with the longest names fits into a value", async () => {
  using kv = await memoryKv();
  const [node = ""] = LONG_NODES;
  for (let index = 0; index < 60; index++) {
    const runId = `${index}`.padStart(4, "0") + LONG.slice(4);
    const [begun, , ended, published] = longest(node, runId, index);
    assert.ok(begun && ended && published);
    await ingest({ kv, clock }, [begun, ended, published]);
  }
  await ingest({ kv, clock }, [longestHeartbeat(node, 61)]);
  const row = NodeRow.parse((await kv.get(keys.node(node))).value);
  assert.deepEqual([row.strip.length, row.published.length, row.running.length], [30, 50, 10]);
  assert.ok(
    serialize(row).length < 60 * 1024,
    `${serialize(row).length} bytes leave room for a field or two`,
  );
});

Deno.test("a long canary with many metrics keeps its course within the limits", async () => {
  using kv = await memoryKv();
  const metrics = Array.from({ length: 8 }, (_, number) => `metric ${number}`);
  for (let minute = 0; minute < 600; minute++) {
    const time = new Date(Date.UTC(2026, 10, 29, 0, minute)).toISOString();
    const [metric] = events.canary(2).metrics;
    assert.ok(metric);
    const canary = events.canary(2, {
      metrics: metrics.map((name) => ({ ...metric, name, last: minute + 0.123456789, lastAt: time })),
    });
    await ingest({ kv, clock: new FakeClock(time) }, [
      events.heartbeat("bot-1", { time, status: { canary } }),
    ]);
  }
  const course = CanaryCourse.parse((await kv.get(keys.canary(events.digestOfRelease(2), "bot-1"))).value);
  for (const { samples } of course.metrics) {
    assert.ok(samples.length > 50, "enough for a chart");
    assert.equal(samples.at(-1)?.value, 599.123456789, "with the last one");
  }
});

Deno.test("texts of a run that are too large for the database are cut", async () => {
  using kv = await memoryKv();
  const run = events.failed("bot-1", {
    log: Array.from({ length: 100 }, (_, line) => `${line} ${TEXT}`.slice(0, 4_000)),
  });
  await ingest({ kv, clock }, valid([run]));
  const details = (await readRun(kv, run.data.runId))?.details;
  assert.equal(details?.log?.length, 100);
  assert.ok(details.log[99]?.startsWith("99 \u20ac"));
  assert.equal(details.error?.hint, run.data.error?.hint);
});

Deno.test("a thousand runs in one batch need few commits", async () => {
  using kv = await memoryKv();
  const counted = cutOffAt(kv, Infinity);
  const runs = Array.from({ length: 1_000 }, (_, index) =>
    events.failed("bot-1", {
      startedAt: new Date(Date.UTC(2026, 10, 1, 0, index)).toISOString(),
      log: Array.from({ length: 10 }, () => "x".repeat(80)),
    }));
  await ingest({ kv: counted.kv, clock }, runs);
  assert.ok(counted.commits() < 100, `${counted.commits()} commits`);
  assert.equal(NodeRow.parse((await kv.get(keys.node("bot-1"))).value).strip.length, 30);
});

Deno.test("any valid events are stored", async () => {
  using kv = await memoryKv();
  await fc.assert(
    fc.asyncProperty(fc.array(anyEvent, { minLength: 1, maxLength: 20 }), async (batch) => {
      await ingest({ kv, clock }, valid(batch));
    }),
    { numRuns: 60 },
  );
});
