import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { machine, newTrainer, publishFrom, pullTo, registryOf } from "../helpers/machines.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { isolatedSpawn, testContext } from "../helpers/test_context.ts";
import { clone, commitAll } from "../helpers/test_git.ts";

Deno.test({
  name: "what git fetches for a pull lies where nobody else can write it, also for a user's clone",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    using dir = tempDir();
    const trainer = newTrainer(dir.path);
    await publishFrom(testContext(), trainer);
    const bot = machine(dir.path, "bot", registryOf(trainer));
    clone(registryOf(trainer), bot.registry.repoDir);
    await pullTo(testContext(), bot);
    const person = clone(registryOf(trainer), join(dir.path, "person"));
    writeFiles(person, { "models/other.bin": "by hand" });
    commitAll(person);
    const modes = new Map<string, string>();
    const context = testContext({
      spawn: (request) => {
        const objects = request.env?.["GIT_OBJECT_DIRECTORY"];
        const parents = objects === undefined ? [] : [objects, dirname(objects)];
        const found = parents.find((path) => path.includes("/staging/") && modeOf(path) !== undefined);
        if (found !== undefined) modes.set(found, modeOf(found) ?? "");
        return isolatedSpawn(request);
      },
    });
    await pullTo(context, bot, { otherWriters: "accept" });
    assert.ok(modes.size > 0);
    assert.deepEqual([...new Set(modes.values())], ["700"]);
  },
});

function modeOf(path: string): string | undefined {
  try {
    return ((Deno.statSync(path).mode ?? 0) & 0o777).toString(8);
  } catch {
    return undefined;
  }
}
