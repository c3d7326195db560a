import assert from "node:assert/strict";
import { join } from "node:path";
import { LockedError } from "../../lib/core/errors.ts";
import type { FileSystem } from "../../lib/core/files.ts";
import { announceDaemon, readDaemons } from "../../lib/store/daemons.ts";
import { openStore } from "../../lib/store/store.ts";
import { osError } from "../helpers/fake_fs.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

Deno.test("a daemon is listed with its roles for as long as it runs", async () => {
  using dir = tempDir();
  const context = testContext();
  const store = openStore(Deno, { modelsDir: join(dir.path, "models") });
  assert.deepEqual(await readDaemons(context, store), []);
  {
    using _daemon = await announceDaemon(context, store, ["publisher", "client"]);
    const running = await readDaemons(context, store);
    assert.deepEqual(running.map(({ role, pid, host }) => ({ role, pid, host })), [
      { role: "client", pid: Deno.pid, host: "test-host" },
      { role: "publisher", pid: Deno.pid, host: "test-host" },
    ]);
  }
  // The files of an ended daemon announce no role.
  assert.deepEqual(await readDaemons(context, store), []);
});

Deno.test("a second daemon with the same role and store is refused, one with another role is not", async () => {
  using dir = tempDir();
  const context = testContext();
  const store = openStore(Deno, { modelsDir: join(dir.path, "models") });
  using _first = await announceDaemon(context, store, ["client"]);
  await assert.rejects(announceDaemon(context, store, ["publisher", "client"]), (error) => {
    assert.ok(error instanceof LockedError);
    assert.equal(error.code, "DAEMON_RUNNING");
    assert.match(error.message, new RegExp(`role client .*pid ${Deno.pid} on test-host since 20`));
    return true;
  });
  // The refused daemon keeps no role.
  using _second = await announceDaemon(context, store, ["publisher"]);
});

Deno.test("a daemon that a fault of the disk keeps from announcing itself names the fault, and can try again", async () => {
  using dir = tempDir();
  let fault: "open" | "identify" | undefined = "open";
  const open: FileSystem["open"] = (path, options) => {
    if (fault === "open" && String(path).endsWith("client.lock")) throw osError("EIO");
    return Deno.open(path, options);
  };
  const statSync: FileSystem["statSync"] = (path) => {
    const info = Deno.statSync(path);
    // The lock has its text once it is taken.
    if (fault === "identify" && String(path).endsWith("client.lock") && info.size > 0) throw osError("EIO");
    return info;
  };
  const context = testContext({ fs: { ...Deno, open, statSync } });
  const store = openStore(Deno, { modelsDir: join(dir.path, "models") });
  await assert.rejects(announceDaemon(context, store, ["client"]), { code: "DISK", exitCode: 7 });
  fault = "identify";
  await assert.rejects(announceDaemon(context, store, ["client"]), { code: "EIO" });
  fault = undefined;
  using daemon = await announceDaemon(context, store, ["client"]);
  Deno.removeSync(join(store.root, "daemons"), { recursive: true });
  fault = "identify";
  await assert.rejects(daemon.renew("keep"), { code: "EIO" });
  fault = undefined;
  await daemon.renew("keep");
  assert.equal(daemon.isSeen(), true);
});

Deno.test("other files in the daemons' folder are not listed as daemons", async () => {
  using dir = tempDir();
  const store = openStore(Deno, { modelsDir: join(dir.path, "models") });
  const folder = join(store.root, "daemons");
  Deno.mkdirSync(join(folder, "publisher.lock"), { recursive: true });
  Deno.writeTextFileSync(join(folder, "client.lock"), "not locked");
  Deno.writeTextFileSync(join(folder, "notes"), "");
  assert.deepEqual(await readDaemons({ fs: Deno }, store), []);
});

Deno.test({
  name: "a daemon that still holds its locks announces itself again without letting go of them",
  ignore: Deno.build.os === "windows", // no other reader of a locked file
  async fn() {
    using dir = tempDir();
    const context = testContext();
    const store = openStore(Deno, { modelsDir: join(dir.path, "models") });
    using daemon = await announceDaemon(context, store, ["client"]);
    const announced = () => Deno.readTextFileSync(join(store.root, "daemons", "client.lock"));
    const before = announced();
    await daemon.renew("keep");
    assert.equal(announced(), before);
  },
});
