import assert from "node:assert/strict";
import { join } from "node:path";
import type { Check } from "../../lib/doctor/check.ts";
import { HubWorld } from "../helpers/hub_world.ts";
import { configuredPair } from "../helpers/machines.ts";
import { runCli } from "../helpers/run_cli.ts";
import { run, runJson, world } from "../helpers/seed_world.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";

Deno.test("status and doctor begin with the configuration file and the model folder", async () => {
  using dir = tempDir();
  const { bot } = world(dir);
  const config = join(bot, "configs/bot.yaml");
  const begins = `configuration  ${config}\nmodel folder   ${join(bot, "models")}\n`;
  for (const command of ["status", "doctor"]) {
    assert.ok((await run(bot, command)).stdout.startsWith(begins), command);
    const { configFile, modelsDir } = JSON.parse((await run(bot, command, "--json")).stdout);
    assert.deepEqual([configFile, modelsDir.endsWith("models")], [config, true]);
  }
  writeFiles(dir.path, { "else.json": '{"model_sync": {"models_dir": "other"}}' });
  const elsewhere = ["--config", "../else.json", "--models-dir", "../mine"];
  assert.ok(
    (await run(bot, "status", ...elsewhere)).stdout.startsWith(
      `configuration  ${join(dir.path, "else.json")}\nmodel folder   ${join(dir.path, "mine")}\n`,
    ),
  );
});

Deno.test("without a configuration file, status and doctor say so and show no role", async () => {
  using dir = tempDir();
  const none = `configuration  none: no configs/bot.yaml and no appsettings.json in ${dir.path}\n`;
  const status = await run(dir.path, "status");
  assert.ok(status.stdout.startsWith(none), status.stdout);
  assert.doesNotMatch(status.stdout, /next run|client|publisher/);
  const launcher = "/opt/tools/bin/model-sync";
  const doctor = await runCli("doctor", [], { cwd: dir.path, env: { MODEL_SYNC_LAUNCHER: launcher } });
  assert.ok(doctor.stdout.startsWith(none), doctor.stdout);
  assert.match(doctor.stdout, /^roles {10}none is configured$/m);
  assert.match(
    doctor.stdout,
    new RegExp(`^ {2}pass {2}program: model-sync .{5,70}\n {2}\\w+ {2}launcher: ${launcher}`, "m"),
  );
  // As after an install without a network, which has no bundler.
  if (Deno.build.os !== "windows") {
    assert.match(
      doctor.stdout,
      /^ {2}warn {2}launcher: \S+; commands start from source, which takes longer: [^\n]+\n {8}install again, with a network/m,
    );
  }
  assert.match(doctor.stdout, /^ {2}pass {2}ONNX Runtime: starts\nmodel-sync works on this machine\nnext: /m);
  assert.doesNotMatch(doctor.stdout, /^ {2}(?:fail {2}|warn {2}registry)/m);
  assert.equal(JSON.parse((await run(dir.path, "status", "--json")).stdout).configFile, null);
  assert.match(
    (await run(dir.path, "status")).stdout,
    /no release is active; write a configuration with: model-sync init$/m,
  );
  assert.deepEqual([...Deno.readDirSync(dir.path)], []);
});

Deno.test("status and doctor show only roles that are configured", async () => {
  await using hub = new HubWorld();
  const status = await hub.run("bot", "status");
  assert.match(status.stdout, /next run of a daemon with the role\n {2}huggingface_client [^\n]*\n$/);
  assert.match(status.stdout, /no release is active; pull one with: model-sync hf-pull\n/);
  assert.deepEqual(Object.keys((await hub.json("bot", "status"))["next"] ?? {}), ["huggingface_client"]);
  const doctor = await hub.run("bot", "doctor");
  assert.match(doctor.stdout, /^roles {10}huggingface_client$/m);
  assert.doesNotMatch(doctor.stdout, /publisher|registry:/);
});

Deno.test("status advises no pull on a machine that only syncs references", async () => {
  using dir = tempDir();
  writeFiles(dir.path, {
    "configs/bot.yaml": 'model_sync: { references: { primary_url: "http://127.0.0.1:9" } }',
  });
  const { stdout } = await run(dir.path, "status");
  assert.match(stdout, /no release is active: this machine syncs references and pulls no models\n/);
});

Deno.test("doctor --role checks a machine for the roles that it is meant for", async () => {
  using dir = tempDir();
  const settings = {
    repo_url: "https://example.invalid/models.git",
    publisher: { schedule: "00:00" },
  };
  writeFiles(dir.path, { "configs/bot.yaml": JSON.stringify({ model_sync: settings }) });
  const shown = async (...roles: string[]) => (await run(dir.path, "doctor", ...roles)).stdout;
  const unused = await shown();
  assert.match(unused, /^roles {10}client$/m);
  assert.match(
    unused,
    /warn {2}training: [^\n]*this machine can pull, but not train[^\n]*\n +on the trainer, set train_command, /,
  );
  const client = await shown("--role", "client");
  assert.doesNotMatch(client, /training/);
  assert.match(client, /^roles {10}client$/m);
  assert.doesNotMatch(await shown("--role", "references"), /training/);
  assert.match(
    await shown("--role", "client,publisher"),
    /fail {2}training: [^\n]*a publish without --skip-training fails\n +set train_command, or train_before_push: false/,
  );
});

Deno.test("a machine that only publishes has no client's runs, and none of its texts advises a pull", async () => {
  using dir = tempDir();
  const { trainer, bot } = configuredPair(dir.path);
  const cwd = trainer;
  const doctorOf = async () => (await run(cwd, "doctor")).stdout;
  assert.match(await doctorOf(), /models folder: missing until models are trained into it/);
  const before = await run(cwd, "status");
  assert.match(before.stdout, /no release is active: this machine publishes, with: model-sync publish\n/);
  for (const command of ["publish", "train", "hf-upload"]) {
    const options = command === "hf-upload" ? ["--repo-id", "you/models"] : ["--skip-training"];
    assert.match(
      (await run(cwd, command, ...options)).stderr,
      /^error: Cannot make a release of models: there is no such folder\nnext: {2}train into it, or set /,
    );
  }
  writeFiles(join(cwd, "models"), { "a.bin": "one" });
  assert.match(await doctorOf(), /models folder: not managed: a publish sends its files\n/);
  await runJson(cwd, "publish");
  // A pull that is refused because of the trained folder makes it no client.
  assert.equal((await run(cwd, "pull")).code, 5);
  const [status, doctor] = [await run(cwd, "status", "--runs", "0"), await doctorOf()];
  assert.match(status.stdout, /with the role\n {2}publisher [^\n]*\n$/);
  assert.match(doctor, /^roles {10}publisher$/m);
  assert.match(
    (await run(cwd, "rollback")).stderr,
    /\nnext: {2}this machine publishes: .*model-sync withdraw/,
  );
  // A bot with the same file that has only pulled does not publish.
  await runJson(bot, "pull");
  assert.match((await run(bot, "status")).stdout, /with the role\n {2}client [^\n]*\n$/);
  for (const { stdout, stderr } of [before, status]) {
    assert.doesNotMatch(stdout + stderr, /client|model-sync pull/);
  }
});

Deno.test("doctor --role fails for a role whose runs lack a setting", async () => {
  using dir = tempDir();
  const lacking = async (role: string) => {
    const { checks } = JSON.parse((await run(dir.path, "doctor", "--json", "--role", role)).stdout);
    return checks.flatMap((check: Check) =>
      check.name.startsWith("role ") ? [`${check.status} ${check.name}`] : []
    );
  };
  for (const role of ["client", "runpod_client", "artifact_client", "huggingface_client", "references"]) {
    assert.deepEqual(await lacking(role), [`fail role ${role}`]);
  }
  writeFiles(dir.path, {
    "configs/bot.yaml": "model_sync: {repo_url: 'https://example.invalid/models.git'}",
  });
  assert.deepEqual(await lacking("client"), []);
  assert.deepEqual(await lacking("client,references"), ["fail role references"]);
});

Deno.test("status does not advise a pull where models are trained", async () => {
  using dir = tempDir();
  const { trainer, bot } = world(dir);
  // Before the first publish, the folder holds the trained models.
  const before = await run(trainer, "status");
  assert.doesNotMatch(before.stdout, /model-sync (hf-)?pull/);
  assert.match(
    before.stdout,
    /models that were not pulled; if this machine trains them, run model-sync publish/,
  );
  assert.match((await run(bot, "status")).stdout, /no release is active; pull one with: model-sync pull/);
  await runJson(trainer, "publish", "--skip-training");
  const after = await run(trainer, "status");
  assert.match(after.stdout, /no release is active: this machine trains into the folder \(publish of .*\)/);
  assert.doesNotMatch(after.stdout, /model-sync pull/);
  // An operator who pulled by mistake removes the link and continues to train.
  await runJson(trainer, "pull", "--adopt");
  Deno.removeSync(join(trainer, "models"));
  writeFiles(join(trainer, "models"), { "a.bin": "new" });
  const mended = await run(trainer, "status");
  assert.match(
    mended.stdout,
    /consumers do not see it: .*; this machine trains into the folder \(publish of /,
  );
  assert.doesNotMatch(mended.stdout, /model-sync pull/);
  for (const command of ["doctor", "verify"]) {
    const { stdout, stderr } = await run(trainer, command);
    assert.doesNotMatch(stdout + stderr, /model-sync pull repairs|run model-sync pull/, command);
  }
});

Deno.test("status on a bot whose folder is damaged advises the pull that repairs it", async () => {
  using dir = tempDir();
  const { trainer, bot } = world(dir);
  await runJson(trainer, "publish", "--skip-training");
  await runJson(bot, "pull");
  Deno.removeSync(join(bot, "models"));
  assert.match(
    (await runCli("status", [], { cwd: bot })).stdout,
    /consumers do not see it: .*; run model-sync pull/,
  );
});

Deno.test("status, doctor, releases and diff name a damaged active release once, and show the rest", async () => {
  using dir = tempDir();
  const { trainer, bot } = world(dir);
  await runJson(trainer, "publish", "--skip-training");
  const { release } = await runJson(bot, "pull");
  const name = String(release).replace("sha256:", "");
  const store = join(bot, ".model-sync");
  const manifest = join(store, `releases/${name}.json`);
  Deno.chmodSync(manifest, 0o644);
  Deno.writeTextFileSync(manifest, "{");
  const fault = new RegExp(`Cannot read release ${name.slice(0, 12)}: its manifest or folder`, "g");
  const times = (text: string, pattern: RegExp) => Array.from(text.matchAll(pattern)).length;
  const status = await run(bot, "status");
  assert.match(status.stdout, /release\n {2}Cannot read release [^]*last runs\n/);
  assert.deepEqual([status.code, times(status.stdout + status.stderr, fault)], [5, 1]);
  assert.equal((await runCli("status", ["--json"], { cwd: bot })).code, 5);
  const releases = await run(bot, "releases");
  assert.match(releases.stdout, / {2}active {2}/);
  assert.deepEqual([releases.code, times(releases.stderr, fault)], [0, 1]);
  const doctor = await run(bot, "doctor");
  assert.deepEqual([doctor.code, times(doctor.stdout, fault)], [1, 1]);

  Deno.removeSync(join(store, "current"));
  Deno.symlinkSync("elsewhere", join(store, "current"));
  const pointer = /Cannot read the pointer/g;
  for (const command of ["status", "doctor", "releases"]) {
    const { stdout, stderr } = await run(bot, command);
    assert.equal(times(stdout + stderr, pointer), 1, stdout + stderr);
  }
  // The warning, and the error.
  assert.equal(times((await run(bot, "diff", "active")).stderr, pointer), 2);
});
