import assert from "node:assert/strict";
import { join } from "node:path";
import { run, runJson, world } from "../helpers/seed_world.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { clone, commitAll } from "../helpers/test_git.ts";

Deno.test("pull accepts another program's commit with an option or a setting, and status shows its author", async () => {
  using dir = tempDir();
  const { registry, trainer, bot } = world(dir);
  await runJson(trainer, "publish", "--skip-training");
  await runJson(bot, "pull");
  const script = clone(registry, join(dir.path, "script"));
  writeFiles(script, { "models/BTC_USDC/rf.bin": "by the script" });
  const commit = commitAll(script, "chore(models): sync");

  const refused = await run(bot, "pull");
  assert.equal(refused.code, 5);
  assert.match(
    refused.stderr,
    new RegExp(`commit ${commit.slice(0, 12)} .* was not published by model-sync`),
  );
  const planned = await runJson(bot, "pull", "--accept-other-writers", "--dry-run");
  assert.equal(planned["outcome"], "activated");
  const pulled = await runJson(bot, "pull", "--accept-other-writers");
  assert.deepEqual([pulled["outcome"], pulled["otherWriter"]], ["activated", planned["otherWriter"]]);
  assert.ok(pulled["otherWriter"]);
  const status = await runJson(bot, "status");
  assert.deepEqual(status["otherWriter"], pulled["otherWriter"]);
  assert.match((await run(bot, "status")).stdout, /not published by model-sync: commit .* by Ada/);

  writeFiles(script, { "models/BTC_USDC/rf.bin": "by the script again" });
  commitAll(script);
  const config = join(bot, "configs/bot.yaml");
  const text = Deno.readTextFileSync(config);
  Deno.writeTextFileSync(
    config,
    text.replace('schedule: "06:00"', 'schedule: "06:00"\n    other_writers: accept'),
  );
  const accepted = await run(bot, "pull");
  assert.match(accepted.stderr, /warn .* was not published by model-sync/);
  assert.match(accepted.stdout, /activated[^]*not published by model-sync: commit .* by Ada/);
  const published = await runJson(trainer, "publish", "--skip-training");
  assert.equal(JSON.stringify(published["otherWriters"]).includes("Ada"), true);
  const next = await runJson(bot, "pull");
  assert.equal(next["release"], published["release"]);
  assert.equal((await runJson(bot, "status"))["otherWriter"], null);
});
