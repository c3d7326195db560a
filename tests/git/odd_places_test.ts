import assert from "node:assert/strict";
import { join } from "node:path";
import { machine, newTrainer, publishFrom, pullTo, registryOf } from "../helpers/machines.ts";
import { memoryDir, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";
import { clone } from "../helpers/test_git.ts";

/** Folder names with characters that are special in git, its lists or its configuration. */
const NAMES = [
  "run 12:30",
  'a "quoted" name',
  "back\\slash:",
  "glob*[ab]?",
  "#hash ;semicolon",
  "$HOME `id`",
  "-dash",
  "ünï\u0308cödé",
];

Deno.test({
  name: "models travel through clones in folders of any name",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    using dir = memoryDir();
    const root = join(dir.path, ...NAMES);
    Deno.mkdirSync(root, { recursive: true });
    const trainer = newTrainer(root);
    const own = machine(root, "own", registryOf(trainer));
    const users = machine(root, "users", registryOf(trainer));
    await publishFrom(testContext(), trainer);
    const repoDir = clone(registryOf(trainer), join(root, "mine"));
    for (const version of ["1", "2"]) {
      writeFiles(trainer.modelsDir, { "BTC/rf.joblib": version });
      assert.equal((await publishFrom(testContext(), trainer)).outcome, "published");
      for (const bot of [own, { ...users, registry: { ...users.registry, repoDir } }]) {
        const context = testContext();
        assert.equal((await pullTo(context, bot)).outcome, "activated");
        assert.equal(Deno.readTextFileSync(join(bot.modelsDir, "BTC/rf.joblib")), version);
        assert.deepEqual(context.log.lines.filter((line) => line.startsWith("warn")), []);
      }
    }
  },
});

Deno.test("a clone in a folder with a line break in its name is refused with a one-line error", async () => {
  using dir = memoryDir();
  const root = join(dir.path, "two\nlines");
  Deno.mkdirSync(root);
  await assert.rejects(publishFrom(testContext(), newTrainer(root)), {
    code: "REPO_INVALID",
    exitCode: 2,
    message: /^[^\n]*: its path has a line break$/,
  });
});
