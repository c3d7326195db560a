import assert from "node:assert/strict";
import { join } from "node:path";
import { publishFrom, pullTo } from "../helpers/machines.ts";
import { machine } from "../helpers/machines.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { isolatedSpawn, testContext } from "../helpers/test_context.ts";
import { clone, git } from "../helpers/test_git.ts";
import { newTrainer, registryOf } from "../helpers/trainer.ts";

/** What makes git, or the system that starts it, say more than git's own complaints. */
const NOISE: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "a library that cannot be preloaded": { LD_PRELOAD: "/nonexistent/library.so" },
  "GIT_TRACE": { GIT_TRACE: "1" },
  "GIT_TRACE2": { GIT_TRACE2: "1" },
  "GIT_TRACE_PERFORMANCE": { GIT_TRACE_PERFORMANCE: "1" },
  "GIT_TRACE_SETUP": { GIT_TRACE_SETUP: "1" },
  "a setting that git warns of": {
    GIT_CONFIG_PARAMETERS: "'core.fsyncMethod'='no-such-method'",
  },
};

Deno.test("what git says besides its complaints damages no clone", async (t) => {
  for (const [what, env] of Object.entries(NOISE)) {
    await t.step(what, async () => {
      using dir = tempDir();
      const context = () =>
        testContext({ spawn: (request) => isolatedSpawn({ ...request, env: { ...request.env, ...env } }) });
      const trainer = newTrainer(dir.path);
      const other = { ...machine(dir.path, "other", registryOf(trainer)), modelsDir: trainer.modelsDir };
      const own = machine(dir.path, "own", registryOf(trainer));
      await publishFrom(context(), trainer);
      const users = machine(dir.path, "users", registryOf(trainer));
      const repoDir = clone(registryOf(trainer), join(dir.path, "mine"));
      const bots = [own, { ...users, registry: { ...users.registry, repoDir } }];
      for (const version of ["1", "2", "3"]) {
        writeFiles(trainer.modelsDir, { "BTC/rf.joblib": version });
        const run = context();
        assert.equal((await publishFrom(run, version === "2" ? other : trainer)).outcome, "published");
        for (const bot of bots) {
          const run = context();
          assert.equal((await pullTo(run, bot)).outcome, "activated");
          assert.deepEqual(run.log.lines.filter((line) => line.includes("damaged")), []);
        }
        assert.deepEqual(run.log.lines.filter((line) => line.includes("damaged")), []);
      }
      assert.equal(git(repoDir, "rev-parse", "main"), git(registryOf(trainer), "rev-parse", "main"));
    });
  }
});
