import assert from "node:assert/strict";
import { LockedError } from "../../../lib/core/errors.ts";
import { createToken, revokeToken } from "../../../web/access/tokens.ts";
import { compareAndSet, writeAll } from "../../../web/store/commit.ts";
import { ingest } from "../../../web/store/ingest.ts";
import { kvFailure } from "../../../web/store/kv_failure.ts";
import { openKv } from "../../../web/store/open_kv.ts";
import { ensureSessionKey, replaceSessionKey } from "../../../web/store/session_key.ts";
import { changeSettings } from "../../../web/store/settings_row.ts";
import { FakeClock } from "../../helpers/fake_clock.ts";
import { dumpOf, memoryKv } from "./kv_tools.ts";
import { ext4At, mountObstacle, type SmallDisk, tmpfsAt } from "../../helpers/small_disk.ts";
import { lockDatabase } from "./sqlite_lock.ts";
import { tempDir } from "../../helpers/temp_dir.ts";
import { recordedLog } from "../../helpers/test_context.ts";
import * as events from "../../helpers/web_events.ts";

const clock = new FakeClock("2026-11-29T07:00:00.000Z");
const NO_ENV = { get: () => undefined };

const BATCH = [
  events.published("trainer", 2),
  events.activated("bot-1", 2),
  events.heartbeat("bot-1", { time: "2026-11-29T06:30:00Z", status: { canary: events.canary(2) } }),
];

async function expectedDump() {
  using kv = await memoryKv();
  await ingest({ kv, clock }, BATCH);
  return await dumpOf(kv);
}

async function failureOf(work: Promise<unknown>) {
  const error = await work.then(() => undefined, (error: unknown) => error);
  const failure = kvFailure(error);
  return failure && { code: failure.code, exitCode: failure.exitCode, message: failure.message };
}

Deno.test("a database that another process has locked fails as locked, and takes the resend once it is free", async () => {
  using folder = tempDir();
  using kv = await openKv(`${folder.path}/kv`, NO_ENV);
  await kv.set(["before"], 1);
  {
    await using _lock = await lockDatabase(`${folder.path}/kv`);
    assert.deepEqual(await failureOf(ingest({ kv, clock }, BATCH)), {
      code: "DATABASE_LOCKED",
      exitCode: 6,
      message: "Cannot use the dashboard's database: another process has locked it",
    });
    assert.equal((await kv.get(["before"])).value, 1, "pages are still read");
  }
  await kv.delete(["before"]);
  await ingest({ kv, clock }, BATCH);
  assert.deepEqual(await dumpOf(kv), await expectedDump());
});

const DISKS: readonly (readonly [string, string | undefined, (path: string) => SmallDisk])[] = [
  ["tmpfs", mountObstacle("tmpfs"), (path) => tmpfsAt(path, "size=2m")],
  ["ext4", mountObstacle("ext4"), (path) => ext4At(path, 8)],
];

for (const [kind, obstacle, mount] of DISKS) {
  Deno.test({
    name:
      `a full disk (${kind}) fails as full, pages are still read, and the resend completes what was begun`,
    ignore: obstacle !== undefined,
    fn: async () => {
      using folder = tempDir();
      using disk = mount(`${folder.path}/disk`);
      using kv = await openKv(`${disk.path}/kv`, NO_ENV);
      await ingest({ kv, clock }, [events.failed("bot-0")]);
      const empty = disk.fill();
      // The first commits fit into the space that is free in SQLite's log.
      let failure: Awaited<ReturnType<typeof failureOf>>;
      for (let attempt = 0; attempt < 200 && failure === undefined; attempt++) {
        failure = await failureOf(
          ingest({ kv, clock }, BATCH.map((event) => ({ ...event, source: `n-${attempt}` }))),
        );
      }
      assert.deepEqual([failure?.code, failure?.exitCode], ["DATABASE_FULL", 7]);
      assert.ok((await dumpOf(kv)).length > 0, "pages are still read");
      empty();
      using other = await memoryKv();
      await ingest({ kv: other, clock }, BATCH);
      await ingest({ kv, clock }, BATCH);
      const known = new Map((await dumpOf(kv)).map(([key, value]) => [JSON.stringify(key), value]));
      for (const [key, value] of await dumpOf(other)) {
        if (key[1] !== "pulse") assert.deepEqual(known.get(JSON.stringify(key)), value, JSON.stringify(key));
      }
    },
  });
}

Deno.test("other messages of databases have named errors, and other errors have none", () => {
  const codeOf = (message: string) => kvFailure(new TypeError(message))?.code;
  assert.equal(codeOf("attempt to write a readonly database"), "DATABASE_READ_ONLY");
  assert.equal(codeOf("database disk image is malformed"), "DATABASE_DAMAGED");
  assert.equal(codeOf("disk I/O error"), "DATABASE_IO");
  assert.equal(codeOf("error sending request for url (http://127.0.0.1:9/)"), "DATABASE_UNREACHABLE");
  assert.equal(codeOf("undefined is not a function"), undefined);
  assert.equal(codeOf("Value too large (max 65536 bytes)"), undefined);
  assert.equal(kvFailure("database is locked"), undefined);
  assert.equal(kvFailure(new LockedError("The store is locked", { code: "STORE_LOCKED" })), undefined);
});

Deno.test("a change is given up as locked when other writers are always faster", async () => {
  using kv = await memoryKv();
  const web = { kv, clock, log: recordedLog() };
  const { row } = await createToken(web, "read", "Grafana");
  const begin = kv.atomic.bind(kv);
  kv.atomic = () => Object.assign(begin(), { commit: () => Promise.resolve({ ok: false } as const) });
  const changes: Readonly<Record<string, () => Promise<unknown>>> = {
    "a write": () => writeAll(kv, [[{ key: ["a"], value: 1, bytes: 1 }]]),
    "a guarded write": () => compareAndSet(() => Promise.resolve({ guards: [], operation: kv.atomic() })),
    "a new session key": () => ensureSessionKey(kv),
    "another session key": () => replaceSessionKey(kv),
    "a setting": () => changeSettings(kv, { isPublic: true }),
    "a revoked token": () => revokeToken(web, row.id),
  };
  for (const [what, change] of Object.entries(changes)) {
    await assert.rejects(change(), { code: "DATABASE_LOCKED", exitCode: 6 }, what);
  }
});

Deno.test("a closed database gives a named error", async () => {
  const kv = await memoryKv();
  kv.close();
  const failure = await failureOf(kv.get(["a"]));
  assert.equal(failure?.code, "DATABASE_CLOSED");
});
