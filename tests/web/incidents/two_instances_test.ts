import assert from "node:assert/strict";
import { join } from "node:path";
import { startRecordingHost } from "../../../fakes/recording_host.ts";
import { tempDir } from "../../helpers/temp_dir.ts";
import { alertingTo, startWatch, WatchedFleet } from "../../helpers/watched_fleet.ts";

const NODES = ["bot-1", "bot-2", "bot-3", "bot-4", "bot-5", "bot-6"];

Deno.test("two instances on one database open, alert and close each incident once", async () => {
  await using host = startRecordingHost();
  using dir = tempDir();
  using other = await startWatch();
  const path = join(dir.path, "kv.sqlite");
  using first = await Deno.openKv(path);
  using second = await Deno.openKv(path);
  const instances = [first, second].map((kv) => new WatchedFleet(kv, other.clock));
  const alerting = alertingTo(other, `${host.origin}/hook`);
  const minute = async (nodes: readonly string[]) => {
    other.clock.advance(60_000);
    await instances[0]?.beat(...nodes);
    await Promise.all(instances.map((instance) => instance.look(alerting)));
  };
  for (let count = 0; count < 5; count++) await minute(NODES);
  for (let count = 0; count < 6; count++) await minute(["bot-1"]);
  assert.equal((await instances[1]?.all())?.length, 5);
  assert.equal(host.requests.length, 5);
  for (let count = 0; count < 3; count++) await minute(NODES);
  assert.equal(host.requests.length, 10);
  assert.equal(new Set(host.requests.map(({ headers }) => headers.get("webhook-id"))).size, 10);
  const lines = instances.flatMap(({ log }) => log.lines);
  assert.equal(new Set(lines).size, 10);
  assert.equal(lines.length, 10, lines.join("\n"));
  assert.deepEqual((await instances[0]?.all())?.map(({ ending }) => ending), Array(5).fill("recovered"));
});
