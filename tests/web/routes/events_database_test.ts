import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { readRuns } from "../../../web/store/read_runs.ts";
import { apiWorld } from "../../helpers/api_world.ts";
import { mountObstacle, tmpfsAt } from "../../helpers/small_disk.ts";
import { tempDir } from "../../helpers/temp_dir.ts";
import * as events from "../../helpers/web_events.ts";

const OBSTACLE = mountObstacle("tmpfs");

async function assertUnavailable(response: Response): Promise<void> {
  assert.equal(response.status, 503);
  assert.equal(response.headers.get("retry-after"), "30");
  assert.equal((await response.json()).error.code, "DATABASE_UNAVAILABLE");
}

/** A run of each minute. */
function runs(node: string, count: number) {
  return Array.from(
    { length: count },
    (_, minute) =>
      events.failed(node, { startedAt: new Date(Date.UTC(2026, 10, 29, 0, minute)).toISOString() }),
  );
}

Deno.test("while another program has locked the KV file, events get 503 and pages can still be read", async () => {
  using dir = tempDir();
  const path = join(dir.path, "kv.sqlite3");
  using kv = await Deno.openKv(path);
  await using world = await apiWorld({ kv });
  const secret = await world.token("bot-1");
  assert.equal((await world.post(secret, [events.failed("bot-1")])).status, 200);

  const other = new DatabaseSync(path);
  other.exec("BEGIN IMMEDIATE");
  await assertUnavailable(
    await world.post(secret, [events.finished("bot-1", { startedAt: "2026-11-29T06:30:00Z" })]),
  );
  assert.equal((await readRuns(kv, "bot-1", { limit: 5 })).rows.length, 1);
  other.exec("ROLLBACK");
  other.close();
  assert.equal((await world.post(secret, [events.failed("bot-1")])).status, 200);
});

Deno.test({
  name: `on a full disk events get 503, and are taken once there is room${
    OBSTACLE === undefined ? "" : ` (skipped: ${OBSTACLE})`
  }`,
  ignore: OBSTACLE !== undefined,
  fn: async () => {
    using dir = tempDir();
    using disk = tmpfsAt(join(dir.path, "disk"), "size=8m");
    using kv = await Deno.openKv(join(disk.path, "kv.sqlite3"));
    await using world = await apiWorld({ kv });
    const secret = await world.token("bot-1");
    await world.post(secret, []);
    const batch = runs("bot-1", 200);

    const empty = disk.fill();
    await assertUnavailable(await world.post(secret, batch));
    assert.match(world.log.lines.join("\n"), /cannot store 200 events/);
    empty();
    assert.equal((await world.post(secret, batch)).status, 200);
    assert.equal((await readRuns(kv, "bot-1", { limit: 200 })).rows.length, 200);
  },
});

Deno.test("two dashboards on one KV file store events at the same time, and agree", async () => {
  using dir = tempDir();
  const path = join(dir.path, "kv.sqlite3");
  using first = await Deno.openKv(path);
  using second = await Deno.openKv(path);
  await using one = await apiWorld({ kv: first });
  await using two = await apiWorld({ kv: second });
  const secret = await one.token("bot-1");
  const batches = runs("bot-1", 40).map((event) => [event]);
  const responses = await Promise.all(
    batches.flatMap((batch, index) => [
      (index % 2 === 0 ? one : two).post(secret, batch),
      // A resend, as after a lost answer.
      (index % 3 === 0 ? one : two).post(secret, batch),
    ]),
  );
  assert.deepEqual([...new Set(responses.map(({ status }) => status))], [200]);
  const [rowsOfOne, rowsOfTwo] = await Promise.all([one.dashboard.fleet.read(), two.dashboard.fleet.read()]);
  assert.deepEqual(rowsOfOne, rowsOfTwo);
  assert.equal(rowsOfOne.rows.get("bot-1")?.strip.length, 30);
  assert.equal((await readRuns(first, "bot-1", { limit: 100 })).rows.length, 40);
});
