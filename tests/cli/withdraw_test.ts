import assert from "node:assert/strict";
import { join } from "node:path";
import { parseManifest } from "../../lib/release/manifest.ts";
import { readArchiveFile } from "../helpers/read_archive.ts";
import { run, runJson, world } from "../helpers/seed_world.ts";
import { readFiles, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { git } from "../helpers/test_git.ts";

Deno.test("withdraw shows its plan, publishes it, and prints the JSON that scripts rely on; pulls, status, releases and doctor show it", async () => {
  using dir = tempDir();
  const { registry, trainer, bot } = world(dir);
  const publish = async (text: string) => {
    writeFiles(trainer, { "models/BTC_USDC/rf.bin": text });
    return String((await runJson(trainer, "publish", "--skip-training"))["release"]);
  };
  const good = await publish("good");
  await runJson(bot, "pull");
  const bad = await publish("bad");
  await runJson(bot, "pull");
  const tip = git(registry, "rev-parse", "main");
  const plan = await runJson(trainer, "withdraw", "2", "--dry-run");
  assert.deepEqual(plan["registries"], [{
    carrier: "git",
    target: "origin/main",
    outcome: "published",
    release: good,
    sequence: 3,
    replaced: bad,
    commit: null,
  }]);
  assert.equal(git(registry, "rev-parse", "main"), tip);
  assert.deepEqual((await runJson(trainer, "releases"))["releases"]?.constructor, Array);
  const { outcome, withdrawal, registries } = await runJson(
    trainer,
    "withdraw",
    bad,
    "--reason",
    "wrong labels",
  );
  assert.equal(outcome, "withdrawn");
  assert.partialDeepStrictEqual(withdrawal, { digest: bad, state: "withdrawn", reason: "wrong labels" });
  assert.partialDeepStrictEqual(registries, [{ release: good, sequence: 3, replaced: bad }]);
  for (
    const [args, code, says] of [
      [["ffff"], 5, /no published release has this name/],
      [["not-hex"], 2, /neither "active", nor a sequence number/],
      [[good, "--undo"], 2, /is not withdrawn/],
      [["active", "--carrier", "huggingface"], 2, /no registry of that kind is configured/],
      [[], 2, /RELEASE is missing/],
    ] as const
  ) {
    const result = await run(trainer, "withdraw", ...args);
    assert.equal(result.code, code, result.stderr);
    assert.match(result.stderr, says);
  }

  assert.match(
    (await run(bot, "pull", "--dry-run")).stdout,
    /would roll back from release .* \(wrong labels\), to/,
  );
  const pulled = await run(bot, "pull", "--json");
  assert.equal(pulled.code, 8, pulled.stderr);
  assert.partialDeepStrictEqual(JSON.parse(pulled.stderr), {
    code: "WITHDRAWN",
    outcome: "rolled-back",
    release: good,
    previous: bad,
  });
  assert.match(
    (await run(bot, "status")).stdout,
    /withdrawn by their publisher\n.* since .*\n {4}wrong labels/,
  );
  assert.match((await run(bot, "releases")).stdout, /withdrawn/);
  const forced = await run(bot, "rollback", "--to", "2", "--force");
  assert.equal(forced.code, 0, forced.stderr);
  assert.match((await run(bot, "status")).stdout, /its publisher withdrew it at .*activated here by force/s);
  assert.match((await run(bot, "doctor")).stdout, /warn {2}withdrawal: .*\(wrong labels\)/);
  assert.match((await run(bot, "quarantine", "lift", good)).stderr, /^$/);
});

Deno.test("without a registry, the archives of train carry a withdrawal, and the withdrawn models are not archived again", async () => {
  using dir = tempDir();
  writeFiles(dir.path, { "models/rf.bin": "bad" });
  const trainer = dir.path;
  const archive = async () =>
    await runJson(trainer, "train", "--skip-training", "--archive-path", "out/models.zip");
  const { release } = await archive();
  const text = await run(trainer, "withdraw", "active");
  assert.match(text.stdout, /withdrew release .*\n.*the next archives of train carry it/);
  const refused = await run(trainer, "train", "--skip-training", "--archive-path", "out/models.zip");
  assert.equal(refused.code, 5, refused.stderr);
  writeFiles(trainer, { "models/rf.bin": "good" });
  await archive();
  const files = await readArchiveFile(join(trainer, "out/models.zip"));
  const manifest = await parseManifest(new TextDecoder().decode(files.get("model-sync.json")), "the archive");
  assert.deepEqual(manifest.withdrawals?.map(({ digest, state }) => [digest, state]), [[
    release,
    "withdrawn",
  ]]);
  assert.equal((await runJson(trainer, "withdraw", String(release), "--undo"))["outcome"], "reinstated");
  assert.equal((await runJson(trainer, "withdraw", String(release), "--undo"))["outcome"], "unchanged");
  assert.deepEqual(readFiles(join(trainer, "models")), { "rf.bin": "good" });
});
