import assert from "node:assert/strict";
import { type FleetBatch, SimulatedFleet } from "../../configs/demo/fleet/simulate_fleet.ts";
import { parseBatch } from "../../lib/wire/parse_batch.ts";

const NOW = new Date("2026-11-29T17:35:00Z");

/** The time so many minutes after the story's end. */
function after(minutes: number): Date {
  return new Date(NOW.getTime() + minutes * 60_000);
}

/** What a node sent, as `type outcome`. */
function sentBy(batches: readonly FleetBatch[], node: string): string[] {
  return batches.filter((batch) => batch.node === node).flatMap(({ events }) => events).map(
    ({ type, data }) => {
      const kind = type.split(".").at(-2) ?? "";
      return "outcome" in data ? `${kind} ${data.outcome}` : kind;
    },
  );
}

function countOf(texts: readonly string[], wanted: string): number {
  return texts.filter((text) => text === wanted).length;
}

Deno.test("after its story a fleet goes on: heartbeats every minute, runs when they are due, and what was going on ends", () => {
  const fleet = new SimulatedFleet({ nodes: 25, days: 3, now: NOW });
  for (const _past of fleet.batchesUntil(NOW));
  assert.deepEqual([...fleet.batchesUntil(NOW)], [], "nothing is returned twice");
  const batches = [...fleet.batchesUntil(after(55))];
  for (const { events } of batches) assert.equal(parseBatch(events).invalid, 0);

  const desk = sentBy(batches, "desk-chicago");
  assert.ok([54, 55].includes(countOf(desk, "heartbeat")), String(countOf(desk, "heartbeat")));
  assert.ok([3, 4].includes(countOf(desk, "finished unchanged")));
  const canary = sentBy(batches, "bot-paris");
  assert.equal(countOf(canary, "finished promoted"), 1);
  assert.ok(countOf(sentBy(batches, "gpu-worker-3"), "finished activated") === 1);
});

Deno.test("after its story what is wrong stays wrong: nodes that are down, late or paused do not come back", () => {
  const fleet = new SimulatedFleet({ nodes: 25, days: 3, now: NOW });
  for (const _past of fleet.batchesUntil(NOW));
  const batches = [...fleet.batchesUntil(after(60))];
  assert.deepEqual(sentBy(batches, "bot-frankfurt"), []);
  assert.deepEqual([...new Set(sentBy(batches, "bot-vienna"))], ["heartbeat"]);
  assert.deepEqual([...new Set(sentBy(batches, "bot-milan"))], ["heartbeat"]);
});

Deno.test("a fleet that is looked at now and then reports the same as one that is looked at all the time", () => {
  const sent = (stepMinutes: number) => {
    const fleet = new SimulatedFleet({ nodes: 12, days: 1, now: NOW });
    const ids: string[] = [];
    for (let minutes = stepMinutes; minutes <= 480; minutes += stepMinutes) {
      for (const { events } of fleet.batchesUntil(after(minutes))) ids.push(...events.map(({ id }) => id));
    }
    return ids.sort();
  };
  assert.deepEqual(sent(480), sent(5));
});
