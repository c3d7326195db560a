import assert from "node:assert/strict";
import { join } from "node:path";
import { LockedError } from "../../lib/core/errors.ts";
import { announcementKeeper } from "../../lib/daemon/announcement_keeper.ts";
import { announceDaemon, readDaemons } from "../../lib/store/daemons.ts";
import { openStore } from "../../lib/store/store.ts";
import { QuickClock } from "../helpers/fake_clock.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

/** For processes that wait for a lock no longer than needed. */
const others = () => testContext({ clock: new QuickClock("2026-11-29T12:00:00Z") });

/** A daemon with the roles client and publisher in its own store, which checks it after each change. */
async function announced(path: string) {
  const context = testContext();
  const location = { modelsDir: join(path, "models") };
  const store = openStore(Deno, location);
  const announcement = await announceDaemon(others(), store, ["client", "publisher"]);
  const keep = announcementKeeper(context, store, announcement);
  const step = async (change: () => unknown) => {
    await change();
    await keep();
  };
  const roles = async () => (await readDaemons(others(), store)).map(({ role }) => role);
  return { context, store, location, announcement, step, roles };
}

Deno.test("a daemon whose store is removed announces itself in a new one, and a second daemon is refused there", async () => {
  using dir = tempDir();
  const { context, store, announcement, step, roles } = await announced(dir.path);
  using _announcement = announcement;
  const removals = [
    () => Deno.removeSync(store.root, { recursive: true }),
    () => Deno.removeSync(join(store.root, "daemons"), { recursive: true }),
    () => Deno.removeSync(join(store.root, "daemons/client.lock")),
    () => Deno.renameSync(store.root, `${store.root}.away`),
    () => {
      // The lock is on the file, not on its name.
      Deno.removeSync(join(store.root, "daemons/publisher.lock"));
      Deno.writeTextFileSync(join(store.root, "daemons/publisher.lock"), "");
    },
  ];
  for (const remove of removals) {
    await step(remove);
    assert.deepEqual(await roles(), ["client", "publisher"]);
    for (const role of ["client", "publisher"]) {
      await assert.rejects(
        announceDaemon(others(), store, [role]),
        /Cannot start the daemon: another daemon has/,
      );
    }
  }
  assert.equal(context.log.lines.length, removals.length);
  assert.match(
    context.log.lines[0] ?? "",
    /^warn the store .*\.model-sync was removed, .*the daemon continues$/,
  );
  await step(() => {});
  assert.equal(context.log.lines.length, removals.length);
});

Deno.test("a daemon whose store is removed ends if another daemon has its role in the new one", async () => {
  using dir = tempDir();
  const { store, location, announcement, step, roles } = await announced(dir.path);
  using _announcement = announcement;
  using other = new DisposableStack();
  await assert.rejects(
    step(async () => {
      Deno.removeSync(store.root, { recursive: true });
      other.use(await announceDaemon(others(), openStore(Deno, location), ["publisher"]));
    }),
    (error) => {
      assert.ok(error instanceof LockedError);
      assert.deepEqual([error.code, error.exitCode], ["DAEMON_RUNNING", 6]);
      assert.match(
        error.message,
        /^Cannot keep the daemon running: the store was removed, and another daemon has the role publisher /,
      );
      return true;
    },
  );
  assert.ok((await roles()).includes("publisher"));
});

Deno.test("a store that cannot be recreated is one warning, and the daemon announces itself when it can", async () => {
  using dir = tempDir();
  const { context, store, announcement, step, roles } = await announced(dir.path);
  using _announcement = announcement;
  await step(() => {
    Deno.removeSync(store.root, { recursive: true });
    Deno.writeTextFileSync(store.root, "in the way");
  });
  assert.match(context.log.lines.join("\n"), /^warn Cannot .*\.model-sync[^\n]* is a file[^\n]*$/);
  await step(() => Deno.removeSync(store.root));
  assert.deepEqual(await roles(), ["client", "publisher"]);
});
