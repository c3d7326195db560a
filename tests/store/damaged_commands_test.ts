import assert from "node:assert/strict";
import { join } from "node:path";
import type { Terminal } from "../../cli/_world.ts";
import { STATE_ENTRIES } from "../../lib/store/state_entries.ts";
import { damage, DAMAGES, withoutPipes } from "../helpers/damage.ts";
import { rootedFs } from "../helpers/fake_fs.ts";
import { configuredPair } from "../helpers/machines.ts";
import { type CliResult, runCli, type RunOptions } from "../helpers/run_cli.ts";
import { checkpoint, memoryDir, readFiles, writeFiles } from "../helpers/temp_dir.ts";
import { git } from "../helpers/test_git.ts";

type Args = readonly string[];

async function run(
  cwd: string,
  [command = "", ...args]: Args,
  options: Partial<RunOptions> = {},
): Promise<CliResult> {
  const fs = withoutPipes(rootedFs(cwd));
  const result = await runCli(command, args, { cwd, ...options, world: { fs, ...options.world } });
  const shown = `${command} ${args.join(" ")}: ${result.stderr}`;
  assert.doesNotMatch(result.stderr, /unexpected|bug in model-sync|\n {4}at /, shown);
  const errors = result.stderr.split("\n").filter((line) => line.startsWith("error:"));
  assert.ok(errors.length <= 1, shown);
  return result;
}

/** Runs commands one after the other, and checks the exit code of each. */
async function expect(cwd: string, commands: readonly (readonly [Args, number])[]): Promise<void> {
  for (const [args, code] of commands) {
    const result = await run(cwd, args);
    assert.equal(result.code, code, `${args.join(" ")}: ${result.stderr}${result.stdout}`);
  }
}

/** Runs a daemon that pulls immediately, until it prints the time of its next pull. @returns its output */
async function tick(cwd: string): Promise<string> {
  const stop = new AbortController();
  const decoder = new TextDecoder();
  let text = "";
  const stderr: Terminal = {
    writeSync(bytes) {
      text += decoder.decode(bytes, { stream: true });
      if (text.includes("next client run at")) stop.abort();
      return bytes.length;
    },
    isTerminal: () => false,
  };
  const options = { world: { stderr }, stop: stop.signal };
  const { code } = await run(cwd, ["daemon", "--role", "client", "--run-on-start"], options);
  assert.equal(code, 0, text);
  assert.doesNotMatch(text, /unexpected|\n {4}at /);
  return text;
}

const dir = memoryDir();
globalThis.addEventListener("unload", () => dir[Symbol.dispose]());
const { registry, trainer: TRAINER, bot: BOT } = configuredPair(dir.path);
for (const content of ["one", "two"]) {
  writeFiles(TRAINER, { "models/rf.bin": content });
  await expect(TRAINER, [[["publish"], 0]]);
  await expect(BOT, [[["pull"], 0]]);
}
writeFiles(TRAINER, { "models/rf.bin": "three" });
const TIP = git(registry, "rev-parse", "main");
const restoreBot = checkpoint(BOT, join(dir.path, "bot-before"));
const restoreTrainer = checkpoint(TRAINER, join(dir.path, "trainer-before"));
const OLD = Deno.readLinkSync(join(BOT, ".model-sync/previous")).split("/").slice(-1)[0] ?? "";

function restore(): void {
  restoreBot();
  restoreTrainer();
  git(registry, "update-ref", "refs/heads/main", TIP);
}

/** Damages entries of the stores of both machines. */
function damageBoth(names: readonly string[], kind: string): void {
  for (const cwd of [BOT, TRAINER]) {
    for (const name of names) damage(join(cwd, ".model-sync", name), kind);
  }
}

const namesOf = (rule: "rebuild" | "assume" | "refuse") =>
  Object.entries(STATE_ENTRIES).filter(([, entry]) => entry.onDamage === rule).map(([name]) => name);

const seen = () => readFiles(join(BOT, "models"))["rf.bin"];
const QUARANTINE: readonly Args[] = [["quarantine", "add", OLD], ["quarantine", "lift", OLD]];
const PUBLISH: readonly Args[] = [["publish", "--dry-run"], ["publish"], ["publish"]];

function all(commands: readonly Args[], code: number): (readonly [Args, number])[] {
  return commands.map((args) => [args, code]);
}

for (const kind of Object.keys(DAMAGES)) {
  Deno.test(`every command works when all rebuildable entries are ${kind}`, async () => {
    restore();
    // Damaged releases have a test of their own.
    damageBoth(namesOf("rebuild").filter((name) => name !== "releases"), kind);
    await expect(BOT, all([["config", "check"], ["doctor"], ...QUARANTINE, ["prune"]], 0));
    await expect(TRAINER, all([["doctor"], ...PUBLISH], 0));
    assert.match(await tick(BOT), /activated release|next client run/);
    assert.equal(seen(), "three");
  });

  Deno.test(`every command works when current, intent and canary are ${kind}`, async () => {
    restore();
    damageBoth(namesOf("assume"), kind);
    await expect(BOT, all([["config", "check"], ...QUARANTINE, ["prune"]], 0));
    await expect(TRAINER, all(PUBLISH, 0));
    for (const cwd of [BOT, TRAINER]) await run(cwd, ["doctor"]);
    await tick(BOT);
    assert.equal(seen(), "three");
  });

  Deno.test(`releases that are ${kind} are dropped, and the pull of a daemon downloads the newest`, async () => {
    restore();
    damageBoth(["releases"], kind);
    await expect(BOT, all([["config", "check"], ...QUARANTINE, ["prune"]], 0));
    await expect(TRAINER, all(PUBLISH, 0));
    await tick(BOT);
    assert.equal(seen(), "three");
  });

  Deno.test(`a quarantine that is ${kind} stops the commands that need it, but neither doctor nor publish`, async () => {
    restore();
    damageBoth(["quarantine.json"], kind);
    // A dangling link holds no list that could be lost.
    const isNone = kind === "a dangling link";
    const code = isNone ? 0 : 5;
    await expect(BOT, [[["config", "check"], 0], [["doctor"], isNone ? 0 : 1], ...all(QUARANTINE, code)]);
    await expect(BOT, [[["prune"], code]]);
    await expect(TRAINER, all(PUBLISH, 0));
    const text = await tick(BOT);
    assert.equal(/sync job failed: [^\n]*quarantine\.json/.test(text), !isNone, text);
    assert.equal(seen(), isNone ? "three" : "two");
  });

  Deno.test(`a store.json that is ${kind} stops a publisher with a one-line error, because nothing else identifies the store`, async () => {
    restore();
    damageBoth(["store.json"], kind);
    await expect(BOT, all([["config", "check"], ["doctor"], ...QUARANTINE, ["prune"]], 0));
    const isNone = kind === "a dangling link";
    for (const args of PUBLISH) {
      const { code, stderr } = await run(TRAINER, args);
      assert.equal(code, isNone ? 0 : 2, stderr);
      if (!isNone) assert.match(stderr, /store\.json/);
    }
    await run(TRAINER, ["doctor"]);
    await tick(BOT);
  });
}
