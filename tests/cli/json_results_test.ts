import assert from "node:assert/strict";
import { join } from "node:path";
import { Output } from "../../cli/_output.ts";
import { processWorld } from "../../cli/_world.ts";
import { configuredPair } from "../helpers/machines.ts";
import { git } from "../helpers/test_git.ts";
import { run, runJson } from "../helpers/seed_world.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";

/** Publishes models of this content. @returns the digest of the release */
async function publish(trainer: string, content: string): Promise<unknown> {
  writeFiles(join(trainer, "models"), { "rf.bin": content });
  return (await runJson(trainer, "publish"))["release"];
}

function configure(cwd: string, changed: object): void {
  const path = join(cwd, "configs/bot.yaml");
  const { model_sync } = JSON.parse(Deno.readTextFileSync(path));
  Deno.writeTextFileSync(path, JSON.stringify({ model_sync: { ...model_sync, ...changed } }));
}

/** Runs a command that has to fail. @returns its error object */
async function errorOf(cwd: string, command: string, ...args: string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await run(cwd, command, ...args, "--json");
  assert.equal(stdout, "");
  const error = JSON.parse(stderr);
  assert.equal(error.exitCode, code);
  return error;
}

Deno.test("--json results carry the warnings of the run, which standard error leaves out", async () => {
  using dir = tempDir();
  const { trainer, bot, registry } = configuredPair(dir.path);
  await publish(trainer, "one");
  assert.deepEqual((await runJson(bot, "pull"))["warnings"], []);
  assert.deepEqual((await runJson(bot, "status"))["warnings"], []);
  git(dir.path, "clone", "-q", registry, "hand");
  writeFiles(join(dir.path, "hand/models"), { "rf.bin": "by hand" });
  git(join(dir.path, "hand"), "commit", "-qam", "by hand");
  git(join(dir.path, "hand"), "push", "-q");
  for (const args of [["--dry-run"], []]) {
    const { warnings } = await runJson(bot, "pull", "--accept-other-writers", ...args);
    assert.ok(Array.isArray(warnings));
    assert.match(String(warnings), /by hand/);
  }
  assert.equal("warnings" in await runJson(bot, "config", "schema"), false);
});

Deno.test("the warnings of a result are bounded, and belong to one run of a long-running process", () => {
  let text = "";
  const stdout = {
    writeSync: (bytes: Uint8Array) => {
      text += new TextDecoder().decode(bytes);
      return bytes.length;
    },
    isTerminal: () => false,
  };
  const output = new Output({ json: true, logFormat: "text", level: "silent" }, { ...processWorld, stdout });
  const other = output.forOneRun();
  other.log.warn("of another run");
  for (let count = 0; count < 105; count++) output.log.warn(`warning ${count}`);
  output.result({}, () => []);
  output.result({}, () => []);
  const [first, second] = text.trim().split("\n").map((line) => JSON.parse(line).warnings);
  assert.equal(first.length, 101);
  assert.deepEqual(first.slice(99), ["warning 99", "5 more warnings are left out"]);
  assert.deepEqual(second, []);
});

Deno.test("the error object of a pull that was refused says the outcome and which release is active", async () => {
  using dir = tempDir();
  const { trainer, bot } = configuredPair(dir.path);
  const first = await publish(trainer, "one");
  await runJson(bot, "pull");
  const second = await publish(trainer, "two");
  await runJson(bot, "pull");
  const bad = await publish(trainer, "three");
  await runJson(bot, "quarantine", "add", String(bad));
  const refused = await errorOf(bot, "pull");
  const { code, exitCode, outcome, release, previous, sequence } = refused;
  assert.deepEqual([code, exitCode, outcome], ["QUARANTINED", 5, "refused"]);
  assert.deepEqual([release, previous, sequence], [second, first, 2]);
});

Deno.test("the error object of a pull that was refused before the first release says that none is active", async () => {
  using dir = tempDir();
  const { trainer, bot } = configuredPair(dir.path);
  await publish(trainer, "one");
  configure(bot, { activation: { validate: { required_files: ["*.onnx"] } } });
  const { outcome, release, previous, sequence, exitCode } = await errorOf(bot, "pull");
  assert.deepEqual([exitCode, outcome, release, previous, sequence], [5, "refused", null, null, null]);
});

Deno.test("the error object of a pull that was rolled back names both releases", async () => {
  using dir = tempDir();
  const { trainer, bot } = configuredPair(dir.path);
  const good = await publish(trainer, "one");
  await runJson(bot, "pull");
  const bad = await publish(trainer, "two");
  configure(bot, {
    activation: { reload: [{ type: "command", command: ["sh", "-c", "! grep -q two models/rf.bin"] }] },
  });
  const { code, exitCode, outcome, release, previous, sequence } = await errorOf(bot, "pull");
  assert.deepEqual([code, exitCode, outcome], ["RELOAD_FAILED", 8, "rolled-back"]);
  assert.deepEqual([release, previous, sequence], [good, bad, 1]);
});

Deno.test("the error object of a refused publish says so, and that no release was published", async () => {
  using dir = tempDir();
  const { trainer } = configuredPair(dir.path);
  writeFiles(join(trainer, "models"), {
    ".env": "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYz1234567",
  });
  const { exitCode, outcome, release, previous, sequence } = await errorOf(trainer, "publish");
  assert.deepEqual([exitCode, outcome, release, previous, sequence], [5, "refused", null, null, null]);
});

Deno.test("the error object of a command that began no run has no outcome", async () => {
  using dir = tempDir();
  assert.deepEqual(Object.keys(await errorOf(dir.path, "rollback")), ["code", "message", "hint", "exitCode"]);
});
