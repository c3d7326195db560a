import assert from "node:assert/strict";
import { join } from "node:path";
import { prepareDatabase } from "../../../web/store/prepare_database.ts";
import { tempDir } from "../../helpers/temp_dir.ts";

const modeOf = (path: string) => (Deno.statSync(path).mode ?? 0) & 0o777;

Deno.test({
  name: "a new database and the files beside it are readable for their owner alone",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    using folder = tempDir();
    const path = join(folder.path, "dashboard", "kv.sqlite3");
    await prepareDatabase(path);
    using kv = await Deno.openKv(path);
    await kv.set(["key"], "value");
    assert.equal(modeOf(join(folder.path, "dashboard")), 0o700);
    const files = [...Deno.readDirSync(join(folder.path, "dashboard"))];
    assert.ok(files.length >= 2);
    for (const { name } of files) assert.equal(modeOf(join(folder.path, "dashboard", name)) & 0o077, 0, name);
  },
});

Deno.test("a database that exists stays as it is", async () => {
  using folder = tempDir();
  const path = join(folder.path, "kv.sqlite3");
  {
    using kv = await Deno.openKv(path);
    await kv.set(["key"], "value");
  }
  await prepareDatabase(path);
  using kv = await Deno.openKv(path);
  assert.equal((await kv.get(["key"])).value, "value");
});

Deno.test("the URL of a server makes no folder", async () => {
  // As a path it would be one below the working folder.
  const before = Array.from(Deno.readDirSync("."), ({ name }) => name);
  await prepareDatabase("https://kv.example/databases/1/connect");
  await prepareDatabase(":memory:");
  assert.deepEqual(Array.from(Deno.readDirSync("."), ({ name }) => name), before);
});
