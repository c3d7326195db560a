import assert from "node:assert/strict";
import { join } from "node:path";
import { listing, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { run, runJson, world } from "../helpers/seed_world.ts";

Deno.test("verify finds flipped bits, missing files and files that do not belong, and --deep reads every byte", async () => {
  using dir = tempDir();
  const { trainer, bot } = world(dir);
  await runJson(trainer, "publish", "--skip-training");
  await runJson(bot, "pull");
  assert.match((await run(bot, "verify")).stdout, /is intact: 2 files/);
  const file = join(bot, "models/BTC_USDC/rf.bin");
  const { mtime } = Deno.statSync(file);
  assert.ok(mtime);
  Deno.chmodSync(file, 0o644);
  Deno.writeTextFileSync(file, "onf");
  // Bits that rot change no time: only reading them finds them.
  Deno.utimeSync(file, mtime, mtime);
  const deep = await run(bot, "verify", "--deep");
  assert.equal(deep.code, 5);
  assert.match(deep.stdout, /rf\.bin has SHA-256 [0-9a-f]{64}, manifest says [0-9a-f]{64}/);
  Deno.removeSync(file);
  writeFiles(join(bot, "models"), { "extra.bin": "x" });
  const report = await run(bot, "verify", "--json");
  assert.equal(report.code, 5);
  const { intact, problems, extra } = JSON.parse(report.stdout);
  assert.deepEqual([intact, problems, extra], [
    false,
    [{ path: "BTC_USDC/rf.bin", problem: "is missing" }],
    ["extra.bin"],
  ]);
  assert.equal((await run(bot, "pull")).code, 0);
  Deno.removeSync(join(bot, "models/extra.bin"));
  assert.equal((await run(bot, "verify", "--deep")).code, 0);
});

Deno.test("status shows the active release, the last runs, the next runs and the quarantine", async () => {
  using dir = tempDir();
  const { trainer, bot } = world(dir);
  assert.match((await run(bot, "status")).stdout, /no release is active/);
  await runJson(trainer, "publish", "--skip-training");
  await runJson(bot, "pull");
  writeFiles(join(trainer, "models"), { "BTC_USDC/rf.bin": "two" });
  await runJson(trainer, "publish", "--skip-training");
  await runJson(bot, "pull");
  await runJson(bot, "rollback");
  await run(bot, "pull");
  const status = await runJson(bot, "status");
  const runs = status["runs"];
  assert.ok(Array.isArray(runs));
  assert.deepEqual(
    runs.map((entry: { command: string; outcome: string }) => `${entry.command} ${entry.outcome}`),
    [
      "pull refused",
      "rollback rolled-back",
      "pull activated",
      "pull activated",
    ],
  );
  const { stdout } = await run(bot, "status");
  for (
    const says of [
      /active\s+[0-9a-f]{12} sequence 1/,
      /others\s+[0-9a-f]{12} sequence 2, quarantined/,
      /QUARANTINED/,
      /quarantine/,
      /client\s+\d{4}-/,
    ]
  ) {
    assert.match(stdout, says);
  }
});

Deno.test("doctor reports pass, warn or fail for each check with a fix, and changes nothing", async () => {
  using dir = tempDir();
  const { trainer, bot } = world(dir);
  await runJson(trainer, "publish", "--skip-training");
  await runJson(bot, "pull");
  const before = listing(dir.path);
  const good = await run(bot, "doctor");
  assert.equal(good.code, 0, good.stdout);
  for (
    const name of [
      "git",
      "clone",
      "worktree",
      "registry readable",
      "registry writable",
      "disk space",
      "file system",
      "links",
    ]
  ) {
    assert.match(good.stdout, new RegExp(`pass {2}${name}: `), good.stdout);
  }
  assert.deepEqual(listing(dir.path), before);
  const bad = await run(bot, "doctor", "--repo-dir", dir.path, "--json");
  assert.equal(bad.code, 1);
  const { ok, checks } = JSON.parse(bad.stdout);
  assert.equal(ok, false);
  assert.ok(
    checks.some((check: { status: string; mend: string }) => check.status === "fail" && check.mend !== ""),
  );
});

Deno.test("config init, check, print and schema work together", async () => {
  using dir = tempDir();
  const cwd = dir.path;
  const init = await run(cwd, "config", "init", "--full");
  assert.equal(init.code, 0, init.stderr);
  const again = await run(cwd, "config", "init", "--full");
  assert.equal(again.code, 2);
  assert.match(again.stderr, /exists/);
  assert.match((await run(cwd, "config", "check")).stdout, /configs\/bot\.yaml: no complaints/);
  writeFiles(cwd, {
    "configs/bot.yaml": "model_sync:\n  repo_url: https://me:secret@example.org/r.git\n  kep: 3\n",
  });
  const bad = await run(cwd, "config", "check");
  assert.equal(bad.code, 2);
  assert.match(bad.stdout, /bot\.yaml:3:3: model_sync\.kep is not a setting; did you mean "keep"/);
  writeFiles(cwd, { "configs/bot.yaml": "model_sync:\n  repo_url: https://me:secret@example.org/r.git\n" });
  const print = await run(cwd, "config", "print");
  assert.match(
    print.stdout,
    /repo_url +"https:\/\/\[redacted\]@example\.org\/r\.git" +configs\/bot\.yaml:2:3/,
  );
  assert.doesNotMatch(print.stdout, /me:secret/);
  assert.equal(JSON.parse((await run(cwd, "config", "schema")).stdout).type, "object");
});

Deno.test("a removed setting and a removed option are named as removed", async () => {
  using dir = tempDir();
  writeFiles(dir.path, { "configs/bot.yaml": "model_sync:\n  huggingface:\n    xet: false\n" });
  const checked = await run(dir.path, "config", "check");
  assert.equal(checked.code, 0, checked.stderr);
  assert.match(
    checked.stderr,
    /bot\.yaml:3:5: model_sync\.huggingface\.xet was removed .*: delete this line/,
  );
  const upload = await run(dir.path, "hf-upload", "--xet");
  assert.equal(upload.code, 2);
  assert.match(upload.stderr, /Cannot use --xet: the option was removed/);
});

Deno.test("config print hides secrets, and shows the origin of maps", async () => {
  using dir = tempDir();
  const { trainer } = world(dir);
  writeFiles(trainer, {
    "secret.yaml": `model_sync:
  repo_url: "https://me:hunter2@example.org/x.git"
  publisher:
    train_command: ["train", "--token", "hunter2", "--api-key=hunter2", "MY_KEY=hunter2", "-p", "hunter2", "Bearer hunter2", "train --pat hunter2", "hf_abcdefghijklmnopqrstuvwxyz12345678"]
  runpod:
    trigger_url: "https://example.org/run?api_key=hunter2&x=1"
    headers: {Authorization: "Bearer hunter2"}
    trigger_payload: {input: {secret: hunter2}}
`,
  });
  const printed = await run(trainer, "config", "print", "--config", "secret.yaml");
  assert.equal(printed.code, 0, printed.stderr);
  assert.doesNotMatch(printed.stdout, /hunter2|hf_abc/);
  assert.match(printed.stdout, /runpod\.headers +\{"Authorization":"\[redacted\]"\} +secret\.yaml:7:/);
  assert.match(printed.stdout, /x=1/);
  const preview = await run(
    trainer,
    "publish",
    "--dry-run",
    "--config",
    "secret.yaml",
    "--repo-url",
    "../registry.git",
  );
  assert.match(preview.stdout, /would train first: train --token \[redacted\]/, preview.stderr);
  assert.doesNotMatch(preview.stdout + preview.stderr, /hunter2|hf_abc/);
});

Deno.test("verify names links and other entries that do not belong, beside missing files", async () => {
  using dir = tempDir();
  const { trainer, bot } = world(dir);
  await runJson(trainer, "publish", "--skip-training");
  await runJson(bot, "pull");
  Deno.symlinkSync("/etc/hostname", join(bot, "models/link"));
  const extra = await run(bot, "verify");
  assert.equal(extra.code, 5);
  assert.match(extra.stdout, /link is not part of it\n {2}remove these files/);
  Deno.removeSync(join(bot, "models/BTC_USDC/rf.bin"));
  assert.match((await run(bot, "verify")).stdout, /rf\.bin is missing\n {2}link is not part of it/);
});

Deno.test("files and folders in the wrong place are errors of one line, and leave nothing behind", async () => {
  using dir = tempDir();
  const { trainer } = world(dir);
  const cases = [
    [["publish", "--config", "configs"], 2],
    [["publish", "--state-dir", "models/.store", "--skip-training"], 2],
    [["publish", "--models-dir", "typo/models", "--skip-training"], 5],
  ] as const;
  for (const [[command, ...flags], code] of cases) {
    const result = await run(trainer, command, ...flags);
    assert.equal(result.code, code, result.stderr);
    assert.match(result.stderr, /^error: Cannot [^\n]+\nnext: {2}[^\n]+\n$/);
  }
  assert.deepEqual(Array.from(Deno.readDirSync(trainer), ({ name }) => name).sort(), ["configs", "models"]);
  assert.deepEqual(Array.from(Deno.readDirSync(join(trainer, "models")), ({ name }) => name), ["BTC_USDC"]);
});
