import assert from "node:assert/strict";
import { releaseDigest } from "../../../lib/release/manifest.ts";
import { viewFleet } from "../../../web/fleet/view_fleet.ts";
import { FleetMemory } from "../../../web/store/fleet_memory.ts";
import { ingest } from "../../../web/store/ingest.ts";
import { keys } from "../../../web/store/keys.ts";
import { readRelease } from "../../../web/store/read_release.ts";
import { readRun } from "../../../web/store/read_runs.ts";
import { NodeRow } from "../../../web/store/rows.ts";
import { FakeClock } from "../../helpers/fake_clock.ts";
import { dumpOf, memoryKv } from "./kv_tools.ts";
import * as events from "../../helpers/web_events.ts";

const clock = new FakeClock("2026-11-29T07:00:00.000Z");

/** A release whose list of files matches its digest. */
async function provenRelease(node: string, changes: Parameters<typeof events.published>[2] = {}) {
  const files = events.filesOfRelease(2);
  const digest = await releaseDigest(files);
  return events.published(node, 2, { digest, files, filesTotal: files.length, ...changes });
}

Deno.test("a run id that another node also reports does not change the first node's run", async () => {
  using kv = await memoryKv();
  const real = events.activated("bot-1", 2);
  await ingest({ kv, clock }, [real]);
  const before = (await dumpOf(kv)).filter(([key]) => key.includes("bot-1"));
  const forged = events.failed("mallory", { startedAt: "2026-11-28T00:00:00Z", runId: real.data.runId });
  await ingest({ kv, clock }, [forged]);
  assert.deepEqual((await dumpOf(kv)).filter(([key]) => key.includes("bot-1")), before);
  const run = await readRun(kv, real.data.runId, "bot-1");
  assert.deepEqual([run?.row.outcome, run?.details?.outcome], ["activated", "activated"]);
});

Deno.test("a false list of files never replaces a verified one, in either order", async () => {
  const real = await provenRelease("trainer");
  const { digest } = real.data;
  const forged = events.published("mallory", 2, {
    digest,
    files: events.filesOfRelease(9),
    filesTotal: 3,
    bytes: 1,
    sequence: 2,
  });
  for (const order of [[real, forged], [forged, real]]) {
    using kv = await memoryKv();
    for (const event of order) await ingest({ kv, clock }, [event]);
    const release = await readRelease(kv, digest);
    assert.equal(release?.row.fileList, "proven");
    assert.deepEqual(release.files, real.data.files);
    assert.deepEqual([release.row.files, release.row.bytes], [3, 3_000_000]);
  }
});

Deno.test("an incomplete list is a claim, and the first claim is kept until a list is verified", async () => {
  using kv = await memoryKv();
  const [first, second] = ["trainer", "mallory"].map((node, index) =>
    events.published(node, 2, { files: events.filesOfRelease(2 + index).slice(0, 2), filesLeftOut: 1 })
  );
  assert.ok(first !== undefined && second !== undefined);
  // The order of arrival matters, because neither can be verified.
  await ingest({ kv, clock }, [first]);
  await ingest({ kv, clock }, [second]);
  const release = await readRelease(kv, first.data.digest);
  assert.equal(release?.row.fileList, "claimed");
  assert.deepEqual(release.files, first.data.files);
});

Deno.test("a node whose events name another node as their subject changes only its own row", async () => {
  using kv = await memoryKv();
  await ingest({ kv, clock }, [events.finished("bot-1")]);
  const before = (await kv.get(keys.node("bot-1"))).value;
  await ingest({ kv, clock }, [{ ...events.failed("mallory"), subject: "bot-1" }]);
  assert.deepEqual((await kv.get(keys.node("bot-1"))).value, before);
});

Deno.test("events older than the retention change neither the newest nor the active release", async () => {
  using kv = await memoryKv();
  const now = [events.activated("bot-1", 2), events.heartbeat("bot-1", { time: "2026-11-29T06:59:00Z" })];
  await ingest({ kv, clock }, now);
  const before = NodeRow.parse((await kv.get(keys.node("bot-1"))).value);
  const old = "2019-01-01T00:00:00.000Z";
  await ingest({ kv, clock }, [
    events.activated("bot-1", 9, { startedAt: old }),
    events.started("bot-1", { startedAt: old, command: "train" }),
    events.heartbeat("bot-1", { time: old, status: { current: events.statusRelease(9) } }),
  ]);
  const after = NodeRow.parse((await kv.get(keys.node("bot-1"))).value);
  assert.deepEqual(
    { ...after, strip: [], lastReceivedAt: null },
    { ...before, strip: [], lastReceivedAt: null },
  );
});

Deno.test("once the publisher has reported a release, other nodes cannot change it", async () => {
  using kv = await memoryKv();
  const real = events.published("trainer", 2, { signer: "f".repeat(64) });
  await ingest({ kv, clock }, [real]);
  const row = (await readRelease(kv, real.data.digest))?.row;
  const forged = {
    digest: real.data.digest,
    sequence: Number.MAX_SAFE_INTEGER,
    signer: "0".repeat(64),
    files: [],
    filesTotal: 1,
    bytes: 1,
    time: "1990-01-01T00:00:00Z",
  };
  await ingest({ kv, clock }, [events.published("mallory", 2, forged)]);
  await ingest({ kv, clock }, [
    events.finished("mallory", { release: real.data.digest, sequence: 10 ** 15 }),
  ]);
  const { carriers: _same, ...after } = (await readRelease(kv, real.data.digest))?.row ?? {};
  const { carriers: _too, ...before } = row ?? {};
  assert.deepEqual(after, before);
});

Deno.test("the publisher's report of a release replaces a consumer's", async () => {
  using kv = await memoryKv();
  const real = events.published("trainer", 2);
  const early = events.finished("mallory", {
    release: real.data.digest,
    sequence: 10 ** 15,
    startedAt: "1990-01-01T00:00:00Z",
  });
  await ingest({ kv, clock }, [early]);
  await ingest({ kv, clock }, [real]);
  const { sequence, firstAt, publisher } = (await readRelease(kv, real.data.digest))?.row ?? {};
  assert.deepEqual([sequence, firstAt, publisher], [2, events.EVENT_TIME, "trainer"]);
});

Deno.test("a node that claims another's release gets none of its consumers", async () => {
  using kv = await memoryKv();
  await ingest({ kv, clock }, [events.published("trainer", 1), events.published("trainer", 2)]);
  await ingest({ kv, clock }, [events.activated("bot-1", 2)]);
  clock.advance(1_000);
  await ingest({ kv, clock }, [
    events.published("mallory", 2, { sequence: 998, time: "2026-11-29T06:30:00Z" }),
    events.published("mallory", 9, { sequence: 999, time: "2026-11-29T06:40:00Z" }),
  ]);
  const { rows } = await new FleetMemory(kv).read();
  const { nodes } = viewFleet(rows.values(), clock.now());
  const lag = nodes.find(({ row }) => row.node === "bot-1")?.lag;
  assert.deepEqual([lag?.publisher, lag?.releases], ["trainer", 0]);
});
