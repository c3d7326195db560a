import assert from "node:assert/strict";
import fc from "fast-check";
import type { ReportEvent } from "../../../lib/wire/schema.ts";
import { ingest } from "../../../web/store/ingest.ts";
import { keys } from "../../../web/store/keys.ts";
import { NodeRow } from "../../../web/store/rows.ts";
import { FakeClock } from "../../helpers/fake_clock.ts";
import { CutOff, cutOffAt, dumpOf, memoryKv } from "./kv_tools.ts";
import { nodeStory } from "./node_story.ts";
import { tempDir } from "../../helpers/temp_dir.ts";
import * as events from "../../helpers/web_events.ts";

const NOW = "2026-11-29T07:00:00.000Z";
const clock = new FakeClock(NOW);

/** One of each kind of event, of three nodes. */
const MORNING: readonly ReportEvent[] = [
  events.published("trainer", 2, { time: "2026-11-29T05:00:00Z" }),
  events.published("trainer", 2, { time: "2026-11-29T05:01:00Z", carrier: "huggingface" }),
  events.started("bot-1/client", { startedAt: "2026-11-29T06:00:00Z" }),
  events.activated("bot-1/client", 2, { startedAt: "2026-11-29T06:00:00Z" }),
  events.failed("bot-2/client", { startedAt: "2026-11-29T06:00:00Z" }),
  events.pullRequest("refs", { time: "2026-11-29T06:10:00Z" }),
  events.pullRequest("refs", { time: "2026-11-29T06:20:00Z", outcome: "updated" }),
  events.heartbeat("bot-1/client", {
    time: "2026-11-29T06:30:00Z",
    status: {
      current: events.statusRelease(2),
      activatedAt: "2026-11-29T06:00:00Z",
      canary: events.canary(2),
      quarantine: [{ digest: events.digestOfRelease(1), sequence: 1, reason: "worse", at: NOW }],
    },
  }),
];

async function filledWith(batches: Iterable<readonly ReportEvent[]>): Promise<Deno.Kv> {
  const kv = await memoryKv();
  for (const batch of batches) await ingest({ kv, clock }, batch);
  return kv;
}

Deno.test("a repeated batch changes nothing in the database", async () => {
  using kv = await filledWith([MORNING]);
  const before = await dumpOf(kv);
  await ingest({ kv, clock }, MORNING);
  assert.deepEqual(await dumpOf(kv), before);
});

Deno.test("a repeated batch does not change when its nodes last reported", async () => {
  using kv = await filledWith([MORNING]);
  const before = await dumpOf(kv);
  await ingest({ kv, clock: new FakeClock("2026-11-29T07:00:10Z") }, MORNING);
  assert.deepEqual(await dumpOf(kv), before);
});

Deno.test("events give the same database in any order, in one batch or in many", async () => {
  using kv = await filledWith([MORNING]);
  const expected = await dumpOf(kv);
  await fc.assert(
    fc.asyncProperty(
      fc.shuffledSubarray([...MORNING], { minLength: MORNING.length }),
      fc.integer({ min: 1, max: MORNING.length }),
      async (shuffled, size) => {
        const batches = Array.from(
          { length: Math.ceil(shuffled.length / size) },
          (_, index) => shuffled.slice(index * size, (index + 1) * size),
        );
        using other = await filledWith(batches);
        assert.deepEqual(withoutPulses(await dumpOf(other)), withoutPulses(expected));
      },
    ),
    { numRuns: 60 },
  );
});

/** Ignores the values of pulses, which name the node that changed last. */
function withoutPulses(dump: Awaited<ReturnType<typeof dumpOf>>): typeof dump {
  return dump.filter(([key]) => key[1] !== "pulse");
}

Deno.test("the history of a node gives the same database in any order", async () => {
  await fc.assert(
    fc.asyncProperty(
      nodeStory("bot-1").chain((story) =>
        fc.tuple(fc.constant(story), fc.shuffledSubarray([...story], { minLength: story.length }))
      ),
      async ([story, shuffled]) => {
        using one = await filledWith([story]);
        using other = await filledWith([shuffled]);
        assert.deepEqual(withoutPulses(await dumpOf(other)), withoutPulses(await dumpOf(one)));
      },
    ),
    { numRuns: 60 },
  );
});

Deno.test("a resend completes a request that was cut off at any point", async () => {
  using kv = await filledWith([MORNING]);
  const expected = await dumpOf(kv);
  for (let commit = 1;; commit++) {
    using other = await memoryKv();
    const cut = cutOffAt(other, commit);
    const isDone = await ingest({ kv: cut.kv, clock }, MORNING).then(() => true, (error: unknown) => {
      assert(error instanceof CutOff);
      return false;
    });
    await ingest({ kv: other, clock }, MORNING);
    assert.deepEqual(await dumpOf(other), expected, `cut before commit ${commit}`);
    if (isDone) {
      assert(commit > 6, "the batch takes several commits");
      return;
    }
  }
});

Deno.test("two handles that store events of one node at once lose nothing", async () => {
  using folder = tempDir();
  const path = `${folder.path}/kv.sqlite`;
  using one = await Deno.openKv(path);
  using other = await Deno.openKv(path);
  const runs = Array.from(
    { length: 24 },
    (_, minute) =>
      events.finished("bot-1", { startedAt: new Date(Date.UTC(2026, 10, 29, 6, minute)).toISOString() }),
  );
  await Promise.all(runs.map((run, index) => ingest({ kv: index % 2 === 0 ? one : other, clock }, [run])));
  const row = NodeRow.parse((await one.get(keys.node("bot-1"))).value);
  assert.equal(row.strip.length, runs.length);
  assert.deepEqual(row.strip.map(({ runId }) => runId), runs.map(({ data }) => data.runId));
});
