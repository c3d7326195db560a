import assert from "node:assert/strict";
import { join } from "node:path";
import { machine, newTrainer, publishFrom, pullTo, registryOf } from "../helpers/machines.ts";
import { memoryDir, writeFiles } from "../helpers/temp_dir.ts";
import { isolatedSpawn, type RecordedLog, testContext } from "../helpers/test_context.ts";
import { clone, git } from "../helpers/test_git.ts";

/** Conditions under which git or the system prints more than git's errors. */
const NOISE = {
  LD_PRELOAD: "/nonexistent/library.so",
  GIT_TRACE: "1",
  GIT_TRACE2: "1",
  GIT_TRACE_PERFORMANCE: "1",
  GIT_TRACE_SETUP: "1",
  // A setting that git warns about.
  GIT_CONFIG_PARAMETERS: "'core.fsyncMethod'='no-such-method'",
};

Deno.test("git's output other than errors is not taken for damage", async () => {
  using dir = memoryDir();
  const runs: RecordedLog[] = [];
  const context = () => {
    const made = testContext({
      spawn: (request) => isolatedSpawn({ ...request, env: { ...request.env, ...NOISE } }),
    });
    runs.push(made.log);
    return made;
  };
  const trainer = newTrainer(dir.path);
  const other = { ...machine(dir.path, "other", registryOf(trainer)), modelsDir: trainer.modelsDir };
  const own = machine(dir.path, "own", registryOf(trainer));
  await publishFrom(context(), trainer);
  const users = machine(dir.path, "users", registryOf(trainer));
  const repoDir = clone(registryOf(trainer), join(dir.path, "mine"));
  const bots = [own, { ...users, registry: { ...users.registry, repoDir } }];
  for (const version of ["1", "2", "3"]) {
    writeFiles(trainer.modelsDir, { "BTC/rf.joblib": version });
    assert.equal((await publishFrom(context(), version === "2" ? other : trainer)).outcome, "published");
    for (const bot of bots) assert.equal((await pullTo(context(), bot)).outcome, "activated");
  }
  assert.equal(git(repoDir, "rev-parse", "main"), git(registryOf(trainer), "rev-parse", "main"));
  assert.deepEqual(runs.flatMap(({ lines }) => lines).filter((line) => line.includes("damaged")), []);
});
