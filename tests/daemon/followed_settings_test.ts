import assert from "node:assert/strict";
import { join } from "node:path";
import { ModelSync } from "../../lib/config/schema.ts";
import { UsageError } from "../../lib/core/errors.ts";
import { FollowedSettings } from "../../lib/daemon/followed_settings.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

/** Settings that follow a file with a schedule in it. */
function followed(dir: string) {
  const context = testContext();
  const path = join(dir, "bot.yaml");
  const write = (schedule: string) => Deno.writeTextFileSync(path, schedule);
  write("06:00");
  let reads = 0;
  const settings = new FollowedSettings(context, {
    paths: [path, join(dir, "appsettings.json")],
    load: () => {
      reads++;
      const schedule = Deno.readTextFileSync(path);
      return schedule === "broken"
        ? Promise.reject(
          new UsageError("Cannot use the configuration: line 1", { code: "X", hint: "fix it" }),
        )
        : Promise.resolve(ModelSync.parse({ client: { schedule } }));
    },
  }, ModelSync.parse({ client: { schedule: "06:00" } }));
  const schedule = async () => (await settings.read()).client.schedule;
  return { context, path, write, settings, schedule, reads: () => reads };
}

Deno.test("the configuration is read once after each change of its file, and only then", async () => {
  using dir = tempDir();
  const { settings, write, schedule, reads, path } = followed(dir.path);
  const [client, publisher] = [settings.watch(), settings.watch()];
  for (let look = 0; look < 3; look++) assert.equal(await schedule(), "06:00");
  assert.equal(reads(), 1);
  client();
  publisher();
  assert.deepEqual([client(), publisher()], [false, false]);
  write("12:30");
  assert.deepEqual([client(), client(), publisher(), publisher()], [true, false, true, false]);
  Deno.writeTextFileSync(`${path}.new`, "03:30");
  Deno.renameSync(`${path}.new`, path);
  assert.deepEqual([await schedule(), await schedule()], ["03:30", "03:30"]);
  assert.equal(reads(), 3);
});

Deno.test("an invalid file is one warning, and the last valid configuration stays until it is fixed", async () => {
  using dir = tempDir();
  const { context, write, schedule } = followed(dir.path);
  write("broken");
  for (let look = 0; look < 3; look++) assert.equal(await schedule(), "06:00");
  assert.deepEqual(context.log.lines, [
    "warn keeping the previous configuration: Cannot use the configuration: line 1; fix it",
  ]);
  write("02:30");
  assert.equal(await schedule(), "02:30");
  assert.equal(context.log.lines.length, 1);
});

Deno.test("a missing or empty file, as during an editor's write, changes nothing", async () => {
  using dir = tempDir();
  const { context, path, write, schedule } = followed(dir.path);
  write("");
  assert.equal(await schedule(), "06:00");
  Deno.removeSync(path);
  assert.equal(await schedule(), "06:00");
  write("02:30");
  assert.equal(await schedule(), "02:30");
  assert.deepEqual(context.log.lines, []);
});
