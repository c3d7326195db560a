import assert from "node:assert/strict";
import { FleetMemory } from "../../../web/store/fleet_memory.ts";
import { ingest } from "../../../web/store/ingest.ts";
import { keys, shardOf } from "../../../web/store/keys.ts";
import { FakeClock } from "../../helpers/fake_clock.ts";
import { memoryKv } from "./kv_tools.ts";
import { tempDir } from "../../helpers/temp_dir.ts";
import * as events from "../../helpers/web_events.ts";

const clock = new FakeClock("2026-11-29T07:00:00.000Z");

function take(kv: Deno.Kv, ...nodes: readonly string[]): Promise<void> {
  return ingest({ kv, clock }, nodes.map((node) => events.finished(node)));
}

async function remove(kv: Deno.Kv, node: string): Promise<void> {
  await kv.atomic().delete(keys.node(node)).set(keys.pulse(shardOf(node)), node).commit();
}

/** A database whose next read of a shard waits, or fails. */
function interrupted(kv: Deno.Kv) {
  let gate: Promise<void> | undefined;
  const looked = Promise.withResolvers<void>();
  const proxy = new Proxy(kv, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        const result: unknown = Reflect.apply(value, target, args);
        if (name !== "list" || gate === undefined || !isList(result)) return result;
        return delayed(result, gate, () => looked.resolve());
      };
    },
  });
  return {
    kv: proxy,
    wait: (until: Promise<void>) => gate = until,
    looked: looked.promise,
    go: () => gate = undefined,
  };
}

function isList(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}

/** Returns what was read before the wait. */
async function* delayed(list: AsyncIterable<unknown>, gate: Promise<void>, looked: () => void) {
  const entries = await Array.fromAsync(list);
  looked();
  await gate;
  yield* entries;
}

Deno.test("a fleet in memory sees changes of another handle", async () => {
  using folder = tempDir();
  using one = await Deno.openKv(`${folder.path}/kv`);
  using other = await Deno.openKv(`${folder.path}/kv`);
  const fleet = new FleetMemory(one);
  assert.deepEqual([...(await fleet.read()).rows.keys()], []);
  await take(other, "bot-1", "bot-2");
  assert.deepEqual([...(await fleet.read()).rows.keys()].sort(), ["bot-1", "bot-2"]);
  await remove(other, "bot-1");
  assert.deepEqual([...(await fleet.read()).rows.keys()], ["bot-2"]);
});

Deno.test("changes since a version are exact, including removed nodes", async () => {
  using kv = await memoryKv();
  const fleet = new FleetMemory(kv);
  await take(kv, "a", "b", "c", "d");
  const { version } = await fleet.read();
  assert.deepEqual(fleet.changedSince(version), []);
  await take(kv, "a", "e");
  await ingest({ kv, clock }, [events.failed("b", { startedAt: "2026-11-29T06:30:00.000Z" })]);
  await remove(kv, "c");
  const after = await fleet.read();
  // Node a did not change: its event was known.
  assert.deepEqual(fleet.changedSince(version)?.toSorted(), ["b", "c", "e"]);
  assert.deepEqual(fleet.changedSince(after.version), []);
  await take(kv, "c");
  await fleet.read();
  assert.deepEqual(fleet.changedSince(after.version), ["c"]);
});

Deno.test("an instance reports that any node may have changed if it does not know earlier removals", async () => {
  using kv = await memoryKv();
  await take(kv, "a", "b");
  const before = new FleetMemory(kv);
  const { version } = await before.read();
  await remove(kv, "a");
  const fleet = new FleetMemory(kv);
  await fleet.read();
  assert.equal(fleet.changedSince(version), undefined);
  assert.equal(fleet.changedSince(""), undefined);
});

Deno.test("a reader during a refresh sees everything that was written before it asked", async () => {
  using kv = await memoryKv();
  await take(kv, "a");
  const slow = interrupted(kv);
  const fleet = new FleetMemory(slow.kv);
  const gate = Promise.withResolvers<void>();
  slow.wait(gate.promise);
  const first = fleet.read();
  await slow.looked;
  slow.go();
  await take(kv, "b");
  const readers = [fleet.read(), fleet.read(), fleet.read()];
  gate.resolve();
  assert.equal((await first).rows.has("b"), false, "the look had begun before");
  for (const reader of readers) assert.ok((await reader).rows.has("b"));
});

Deno.test("a failed refresh keeps the fleet consistent, and the next one sees everything", async () => {
  using kv = await memoryKv();
  await take(kv, ...Array.from({ length: 40 }, (_, index) => `bot-${index}`));
  let failsIn = 5;
  const broken = new Proxy(kv, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        if (name === "list" && --failsIn === 0) throw new TypeError("database is locked");
        return Reflect.apply(value, target, args);
      };
    },
  });
  const fleet = new FleetMemory(broken);
  await assert.rejects(fleet.read(), /locked/);
  assert.equal((await fleet.read()).rows.size, 40);
});
