import assert from "node:assert/strict";
import { ModelSyncError } from "../../../lib/core/errors.ts";
import { openKv } from "../../../web/store/open_kv.ts";
import { mountObstacle, tmpfsAt } from "../../helpers/small_disk.ts";
import { lockDatabase } from "./sqlite_lock.ts";
import { tempDir } from "../../helpers/temp_dir.ts";

function env(variables: Readonly<Record<string, string>> = {}) {
  return { get: (name: string) => variables[name] };
}

async function failureOf(place: string | undefined, variables?: Readonly<Record<string, string>>) {
  try {
    (await openKv(place, env(variables), { waitMs: 300 })).close();
  } catch (error) {
    assert.ok(error instanceof ModelSyncError, String(error));
    const { code, exitCode, message, hint } = error;
    return { code, exitCode, message, hint: hint ?? "" };
  }
  throw new Error("it was opened");
}

Deno.test({
  name: "a file, its folder and the files beside it are created for their owner only",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    using folder = tempDir();
    using kv = await openKv(`${folder.path}/new/deep/kv.sqlite3`, env());
    await kv.set(["a"], 1);
    const modes = Array.from(Deno.readDirSync(`${folder.path}/new/deep`), ({ name }) => {
      const mode = Deno.statSync(`${folder.path}/new/deep/${name}`).mode ?? 0;
      return `${name} ${(mode & 0o777).toString(8)}`;
    });
    assert.deepEqual(modes.sort(), ["kv.sqlite3 600", "kv.sqlite3-shm 600", "kv.sqlite3-wal 600"]);
    assert.equal((Deno.statSync(`${folder.path}/new/deep`).mode ?? 0) & 0o777, 0o700);
  },
});

Deno.test("a file keeps its content and its mode when it is opened again", async () => {
  using folder = tempDir();
  const path = `${folder.path}/kv`;
  for (const value of [undefined, 1]) {
    using kv = await openKv(path, env());
    assert.equal((await kv.get(["a"])).value ?? undefined, value);
    await kv.set(["a"], 1);
    Deno.chmodSync(path, 0o640);
  }
  assert.equal((Deno.statSync(path).mode ?? 0) & 0o777, 0o640);
});

Deno.test("a file whose name looks like a web address or a scheme is a file", async () => {
  using folder = tempDir();
  for (const name of ["http:", "https", "httpdata", "file:x"]) {
    using _kv = await openKv(`${folder.path}/${name}`, env());
    assert.ok(Deno.statSync(`${folder.path}/${name}`).isFile);
  }
});

Deno.test("two databases in memory are separate", async () => {
  using one = await openKv(":memory:", env());
  using other = await openKv(":memory:", env());
  await one.set(["a"], 1);
  assert.equal((await other.get(["a"])).value, null);
});

Deno.test("a file that is not a database gives a one-line error with its name, and stays unchanged", async () => {
  using folder = tempDir();
  const path = `${folder.path}/notes.txt`;
  Deno.writeTextFileSync(path, "not a database ".repeat(500));
  assert.deepEqual(await failureOf(path), {
    code: "DATABASE_INVALID",
    exitCode: 7,
    message: `Cannot read the dashboard's database "${path}": the file is not a database of Deno KV`,
    hint: "use another file, or move this one away: the dashboard creates a new one",
  });
  assert.equal(Deno.readTextFileSync(path), "not a database ".repeat(500));
});

Deno.test("a folder, an empty name and an unsupported address are usage errors", async () => {
  using folder = tempDir();
  for (const place of [folder.path, "", "ftp://example.org/kv", "postgres://db/kv", "file:///tmp/kv"]) {
    const { code, exitCode } = await failureOf(place);
    assert.deepEqual([code, exitCode], ["DATABASE_PLACE", 2], place);
  }
});

Deno.test("a place where no file can be created gives an error", async () => {
  using folder = tempDir();
  Deno.writeTextFileSync(`${folder.path}/file`, "");
  const { code, exitCode, message } = await failureOf(`${folder.path}/file/kv`);
  assert.deepEqual([code, exitCode], ["DATABASE_NOT_OPENED", 7]);
  assert.match(message, /file\/kv/);
});

Deno.test("a remote database needs an access token, in any spelling of its scheme", async () => {
  for (const place of ["https://db.example.org/v2/connect", "HTTP://127.0.0.1:9/"]) {
    const { code, exitCode, hint } = await failureOf(place);
    assert.deepEqual([code, exitCode], ["DATABASE_TOKEN", 3]);
    assert.equal(hint, "set DENO_KV_ACCESS_TOKEN to the access token of the database");
  }
});

Deno.test("without a place, only the database of Deno Deploy can be used", async () => {
  assert.deepEqual(await failureOf(undefined), {
    code: "DATABASE_PLACE",
    exitCode: 2,
    message: "Cannot open the dashboard's database: no database is configured",
    hint: "set MODEL_SYNC_DASHBOARD_KV to a file, or to the address of a denokv server",
  });
});

const noDisk = mountObstacle("tmpfs");

Deno.test({
  name: "on a full disk no new database can be created",
  ignore: noDisk !== undefined,
  fn: async () => {
    using folder = tempDir();
    using disk = tmpfsAt(`${folder.path}/disk`, "size=1m");
    disk.fill();
    const { code, exitCode } = await failureOf(`${disk.path}/kv`);
    assert.deepEqual([code, exitCode], ["DATABASE_FULL", 7]);
  },
});

Deno.test({
  name: "waiting for a locked file ends after a time, and the file opens once it is unlocked",
  // Closing a database that waits for a lock would also wait: it is closed later.
  sanitizeResources: false,
  sanitizeOps: false,
  fn: async () => {
    using folder = tempDir();
    const path = `${folder.path}/kv`;
    (await openKv(path, env())).close();
    await using lock = await lockDatabase(path);
    const { code, exitCode } = await failureOf(path);
    assert.deepEqual([code, exitCode], ["DATABASE_LOCKED", 6]);
    await lock.release();
    using kv = await openKv(path, env());
    await kv.set(["a"], 1);
  },
});
