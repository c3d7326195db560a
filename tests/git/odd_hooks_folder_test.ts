import assert from "node:assert/strict";
import { join } from "node:path";
import { ModelSyncError } from "../../lib/core/errors.ts";
import { spawnInOurGroup } from "../../lib/core/subprocess.ts";
import { newTrainer, publishFrom } from "../helpers/machines.ts";
import { memoryDir, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";
import { makeProgram } from "../helpers/make_program.ts";

Deno.test("publish() works if the folder for hooks contains none, whatever it is", async (t) => {
  using dir = memoryDir();
  const at = (name: string) => join(dir.path, name);
  writeFiles(dir.path, { "file": "", "linked/x": "", "piped/x": "" });
  Deno.symlinkSync("loop", at("loop"));
  Deno.symlinkSync("pre-commit", at("linked/pre-commit"));
  Deno.mkdirSync(at("folder/pre-commit"), { recursive: true });
  const folders = [
    "/dev/null",
    at("nowhere"),
    at("file"),
    at("loop"),
    at("linked"),
    at("folder"),
    "x".repeat(300),
  ];
  for (const folder of folders) {
    await t.step(folder.slice(0, 40), async () => {
      using trainers = memoryDir();
      const trainer = newTrainer(trainers.path);
      writeFiles(trainers.path, { gitconfig: `[core]\n\thooksPath = ${folder}\n` });
      // A clone of our own uses hooks from the user's and the system's configuration only.
      const env = { GIT_CONFIG_GLOBAL: join(trainers.path, "gitconfig"), GIT_CONFIG_NOSYSTEM: "1" };
      const context = testContext({
        spawn: (request) => spawnInOurGroup({ ...request, env: { ...request.env, ...env } }),
      });
      assert.equal((await publishFrom(context, trainer)).outcome, "published");
    });
  }
});

Deno.test("a hook that cannot be started refuses with the system's error", async (t) => {
  for (
    const [what, script] of Object.entries({
      interpreter: "#!/no/such/interpreter\n",
      garbage: "\x7fELF\u0001",
    })
  ) {
    await t.step(what, async () => {
      using dir = memoryDir();
      const trainer = newTrainer(dir.path);
      await publishFrom(testContext(), trainer);
      const hook = join(trainer.registry.repoDir, ".git/hooks/pre-commit");
      writeFiles(trainer.registry.repoDir, { ".git/hooks/pre-commit": script });
      makeProgram(hook);
      writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
      await assert.rejects(publishFrom(testContext(), trainer), (error) => {
        assert.ok(error instanceof ModelSyncError);
        assert.match(error.message, /the pre-commit hook refuses it: \S*\.git\/hooks\/pre-commit: /);
        return true;
      });
    });
  }
});
