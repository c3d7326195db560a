import assert from "node:assert/strict";
import { RunEvents } from "../../configs/demo/fleet/run_events.ts";
import { simulateFleet } from "../../configs/demo/fleet/simulate_fleet.ts";
import { BATCH_BYTES_MAX, BATCH_EVENTS_MAX, EVENT_TYPES, nodeOf } from "../../lib/wire/event_names.ts";
import { recordEvents, startedEvent } from "../../lib/reporting/make_events.ts";
import { parseBatch } from "../../lib/wire/parse_batch.ts";
import type { ReportEvent } from "../../lib/wire/schema.ts";
import type { RunRecord } from "../../lib/store/history.ts";
import { digestOfRelease } from "../helpers/web_events.ts";
import { WholeFleet } from "../helpers/whole_fleet.ts";

const NOW = new Date("2026-11-29T17:35:00Z");
const MONTH = new WholeFleet({ nodes: 50, days: 30, now: NOW });

Deno.test("a simulated month is valid by the wire's schema, and every id is there once for its node", () => {
  const ids = new Set<string>();
  for (const { node, events } of MONTH.batches) {
    assert.deepEqual(parseBatch(events), { events, unknownTypes: 0, invalid: 0 });
    for (const { id, source } of events) {
      assert.equal(nodeOf(source), node);
      ids.add(`${node} ${id}`);
    }
  }
  assert.equal(ids.size, MONTH.events.length);
});

function isHeartbeat({ type }: ReportEvent): boolean {
  return type === EVENT_TYPES.heartbeat;
}

Deno.test("fifty nodes report a month in fewer than 20,000 events", () => {
  assert.ok(MONTH.events.length > 5_000 && MONTH.events.length < 20_000, String(MONTH.events.length));
  assert.equal(new Set(MONTH.batches.map(({ node }) => node)).size, 50);
});

Deno.test("batches are such as a node sends: within the bounds of one, and a heartbeat goes alone", () => {
  const often = simulateFleet({ nodes: 6, days: 2, now: NOW, batchHours: 48, heartbeatMinutes: 10 });
  const bulk = [...simulateFleet({ nodes: 3, days: 30, now: NOW, batchHours: 30 * 24, runsPerNode: 900 })];
  const encoder = new TextEncoder();
  for (const { events } of [...MONTH.batches, ...often, ...bulk]) {
    assert.ok(events.length > 0 && events.length <= BATCH_EVENTS_MAX);
    assert.ok(encoder.encode(JSON.stringify(events)).length <= BATCH_BYTES_MAX);
    assert.ok(events.length === 1 || !events.some(isHeartbeat));
  }
  assert.ok(bulk.some(({ events }) => events.length === BATCH_EVENTS_MAX), "some batches are full");
});

Deno.test("what was sent has happened by a clock that is right, also where the node's is wrong", () => {
  for (const { node, events, sentAt } of MONTH.batches) {
    assert.ok(sentAt <= NOW);
    const lastMs = Math.max(...events.map(({ time }) => Date.parse(time)));
    const isRight = Math.abs(lastMs - sentAt.getTime()) < 1_000;
    assert.ok(isRight || node === "bot-singapore", `${node} at ${sentAt.toISOString()}`);
  }
});

Deno.test("a node's events come in the order of time, and days come one after the other", () => {
  const lastOf = new Map<string, number>();
  let newestMs = 0;
  for (const { node, events } of MONTH.batches) {
    // A clock that is wrong orders nothing.
    if (node === "bot-singapore") continue;
    for (const { time } of events) {
      const timeMs = Date.parse(time);
      assert.ok(timeMs <= NOW.getTime(), `${node} reports from the future`);
      // Run ids and starts are whole seconds, so that a start may be noted in the second before.
      assert.ok(timeMs >= (lastOf.get(node) ?? 0) - 1_000, `${node} at ${time}`);
      assert.ok(timeMs > newestMs - 24 * 3_600_000 - 1_000);
      lastOf.set(node, timeMs);
      newestMs = Math.max(newestMs, timeMs);
    }
  }
});

Deno.test("equal options make equal events, and another seed makes others", () => {
  const text = (seed: number) => JSON.stringify([...simulateFleet({ nodes: 10, days: 4, now: NOW, seed })]);
  const first = text(7);
  assert.equal(text(7), first);
  assert.notEqual(text(8), first);
});

Deno.test("steps lie within their run, and fill most of it", () => {
  for (const { data } of MONTH.of("finished")) {
    const { steps = [], durationMs, runId } = data;
    if (steps.length === 0) continue;
    const ends = steps.map((step) => step.startMs + step.durationMs);
    assert.ok(Math.max(...ends) <= durationMs, runId);
    assert.ok(Math.max(...ends) > durationMs * 0.5, runId);
  }
});

Deno.test("runs of one kind take different times, and those that change something take longer", () => {
  const durations = (outcome: string) =>
    MONTH.runs("bot-new-york", outcome).map(({ durationMs }) => durationMs);
  const [changed, unchanged] = [durations("activated"), MONTH.runs("desk-london", "unchanged")];
  assert.ok(new Set(changed).size > 20);
  assert.ok(Math.max(...changed) > 1.5 * Math.min(...changed));
  assert.ok(Math.min(...changed) > (unchanged[0]?.durationMs ?? Infinity));
});

Deno.test("each release has the next sequence, some changed files and some that stay, and the set grows", () => {
  for (const trainer of ["train-1", "train-2", "train-3"]) {
    const releases = MONTH.of("published", trainer).map(({ data }) => data).filter(({ carrier }) =>
      carrier === "git"
    );
    assert.ok(releases.length > 25);
    for (
      const [index, { sequence, previous, files, filesTotal, filesLeftOut, bytes }] of releases.entries()
    ) {
      assert.ok(files.length >= 5 && files.length <= 40 && filesLeftOut === 0);
      assert.equal(filesTotal, files.length);
      assert.equal(bytes, files.reduce((sum, { size }) => sum + size, 0));
      const before = releases[index - 1];
      if (before === undefined) continue;
      assert.equal(sequence, before.sequence + 1);
      assert.equal(previous, before.digest);
      const known = new Set(before.files.map(({ sha256 }) => sha256));
      const kept = files.filter(({ sha256 }) => known.has(sha256));
      assert.ok(kept.length < files.length, "something changed");
    }
    assert.ok((releases.at(-1)?.bytes ?? 0) > (releases[0]?.bytes ?? Infinity));
  }
});

Deno.test("consumers activate what a trainer has published before, by the carrier that is theirs", () => {
  const published = new Map(MONTH.of("published").map(({ data, time }) => [data.digest, Date.parse(time)]));
  const carriers = new Set<string>();
  for (const { data } of MONTH.of("finished")) {
    if (data.outcome !== "activated" || data.otherWriter !== undefined || data.release === undefined) {
      continue;
    }
    carriers.add(data.carrier ?? "");
    const publishedMs = published.get(data.release);
    // What was published before the month began is in no event.
    if (publishedMs !== undefined) assert.ok(publishedMs <= Date.parse(data.startedAt) + 120_000);
  }
  assert.deepEqual([...carriers].sort(), ["git", "github-actions", "huggingface", "runpod"]);
});

Deno.test("in bulk every node has as many runs as were asked for, in batches of any length of time", () => {
  for (const batchHours of [24, 30 * 24]) {
    const counts = new Map<string, number>();
    const options = { nodes: 70, days: 30, now: NOW, runsPerNode: 100, batchHours };
    for (const { node, events } of simulateFleet(options)) {
      assert.deepEqual(parseBatch(events).invalid, 0);
      const ended = events.filter(({ type }) => type === "model-sync.run.finished.v1");
      counts.set(node, (counts.get(node) ?? 0) + ended.length);
    }
    assert.equal(counts.size, 70);
    assert.deepEqual([...new Set(counts.values())], [100]);
  }
});

Deno.test("a fleet is simulated while it is read: a thousand nodes with a thousand runs each begin at once", () => {
  const fleet = simulateFleet({ nodes: 1_000, days: 30, now: NOW, runsPerNode: 1_000 });
  const first = fleet.next();
  assert.ok(first.done === false && first.value.events.length < 200);
  fleet.return(undefined);
});

Deno.test("the simulation makes the events of a record as a node does", () => {
  const identity = { name: "bot 1/client", host: "bot-1", modelsDir: "/srv/bot/models" };
  const digest = digestOfRelease(2);
  const record: RunRecord = {
    runId: "20261129T000000Z-abcdef",
    command: "publish",
    outcome: "published",
    startedAt: "2026-11-29T00:00:00Z",
    durationMs: 1_500,
    host: "bot-1",
    carrier: "git",
    revision: "c".repeat(40),
    release: digest,
    previous: digestOfRelease(1),
    signer: "d".repeat(64),
    sequence: 2,
    files: 1,
    bytes: 10,
    steps: [{ name: "publish", startMs: 1, durationMs: 2 }],
    pullRequests: [{
      repository: "you/bots",
      outcome: "created",
      number: 7,
      url: "https://example.com/7",
      changes: 1,
    }],
    error: { code: "KILLED", message: "killed", hint: "look", exitCode: 1 },
    log: ["info: one", "warn: two"],
  };
  const files = [{ path: "rf.onnx", size: 10, sha256: "e".repeat(64) }];
  const list = { digest, filesTotal: 1, bytes: 10, files };
  const events = new RunEvents(identity);
  assert.deepEqual(events.ended(record, list), recordEvents(identity, record, list));
  assert.deepEqual(events.started(record), startedEvent(identity, record));
});
