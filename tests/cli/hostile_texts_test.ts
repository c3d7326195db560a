import assert from "node:assert/strict";
import { join } from "node:path";
import type { Terminal } from "../../cli/_world.ts";
import { Output, Verbatim } from "../../cli/_output.ts";
import { systemClock } from "../../lib/core/clock.ts";
import { runCli } from "../helpers/run_cli.ts";
import { run, world } from "../helpers/seed_world.ts";
import { type TempDir, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { clone, git } from "../helpers/test_git.ts";
import { writeProgram } from "../helpers/make_program.ts";

/** Colours, a window title, the screen cleared in both spellings, text turned around, a line overwritten. */
const HOSTILE = "\u001b[31mred\u001b]0;title\u0007\u009b2J\u001b[2J\u202egnp\u200b\u0085over\rwritten";

/** What no output may hold: everything but line ends that moves the cursor, or does not show. */
const OBEYED = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

const ESCAPE = "\u001b";

/** Our own colours, and the start of a line for a progress bar. */
const OWN = new RegExp(`${ESCAPE}\\[(?:[0-2]|3[1236])m|\\r${ESCAPE}\\[K`, "g");

class Screen implements Terminal {
  text = "";
  readonly #isTerminal: boolean;

  constructor(isTerminal: boolean) {
    this.#isTerminal = isTerminal;
  }

  writeSync(bytes: Uint8Array): number {
    this.text += new TextDecoder().decode(bytes);
    return bytes.length;
  }

  isTerminal(): boolean {
    return this.#isTerminal;
  }
}

/** Runs a command with each kind of output, and finds nothing in any that a terminal would obey. */
async function assertPlain(cwd: string, command: string, ...args: string[]): Promise<string> {
  let first: string | undefined;
  for (const more of [[], ["--json"], ["--verbose"], ["--log-format", "json"]]) {
    const { stdout, stderr } = await runCli(command, [...args, ...more], { cwd });
    const said = stdout + stderr;
    assert.doesNotMatch(said, OBEYED, `${command} ${[...args, ...more].join(" ")}: ${JSON.stringify(said)}`);
    first ??= said;
  }
  const [stdout, stderr] = [new Screen(true), new Screen(true)];
  await runCli(command, args, { cwd, world: { stdout, stderr, noColor: false } });
  const said = (stdout.text + stderr.text).replace(OWN, "");
  assert.doesNotMatch(said, OBEYED, `${command} on a terminal: ${JSON.stringify(said)}`);
  return first ?? "";
}

/** A bot that pulled a release, and its trainer. */
async function pulled(dir: TempDir) {
  const made = world(dir);
  await run(made.trainer, "publish", "--skip-training");
  await run(made.bot, "pull");
  const store = join(made.bot, ".model-sync");
  const hex = Deno.readLinkSync(join(store, "current")).split("/").at(-1) ?? "";
  return { ...made, store, digest: `sha256:${hex}` };
}

Deno.test("no escape sequence that another program wrote into the store's files reaches an output", async () => {
  using dir = tempDir();
  const { bot, store, digest } = await pulled(dir);
  const other = `sha256:${"ab".repeat(32)}`;
  const otherWriter = { revision: HOSTILE, author: HOSTILE, subject: HOSTILE, described: HOSTILE };
  const record = {
    runId: HOSTILE,
    command: HOSTILE,
    outcome: "failed",
    startedAt: HOSTILE,
    durationMs: 1,
    host: HOSTILE,
    revision: HOSTILE,
    release: digest,
    error: { code: HOSTILE, message: HOSTILE },
    otherWriter,
  };
  const metric = {
    name: HOSTILE,
    source: HOSTILE,
    baseline: { kind: "no-data", reason: HOSTILE },
    failures: 0,
    samples: [{ at: HOSTILE, reading: { kind: "no-data", reason: HOSTILE } }],
  };
  const states = {
    "history.jsonl": record,
    "quarantine.json": [{ digest: other, sequence: 9, reason: HOSTILE, at: HOSTILE }],
    "withdrawals.json": [{
      digest: other,
      state: "withdrawn",
      at: "2026-11-29T06:00:00Z",
      reason: HOSTILE,
    }],
    "revisions.json": { [HOSTILE]: { revision: HOSTILE, digest, sequence: 1, otherWriter } },
    "schedule.json": { client: HOSTILE, [HOSTILE]: HOSTILE },
    "alerts.json": { [HOSTILE]: { what: HOSTILE, since: HOSTILE } },
    "pending_reload.json": { [HOSTILE]: HOSTILE },
    "canary.json": {
      schema: 1,
      digest,
      previous: other,
      sequence: 1,
      runId: HOSTILE,
      startedAt: HOSTILE,
      durationMs: 1e9,
      intervalMs: 1_000,
      watchedMs: 0,
      rounds: 1,
      status: "watching",
      reason: HOSTILE,
      statusSince: HOSTILE,
      concludedAt: null,
      metrics: [metric],
    },
  };
  for (const [name, state] of Object.entries(states)) {
    Deno.writeTextFileSync(join(store, name), `${JSON.stringify(state)}\n`);
  }
  const shown = [
    await assertPlain(bot, "status"),
    await assertPlain(bot, "quarantine", "list"),
    await assertPlain(bot, "releases"),
    await assertPlain(bot, "canary", "status"),
  ];
  for (const text of shown) assert.match(text, /red.*gnp/);
  Deno.writeTextFileSync(join(store, "intent.json"), JSON.stringify({ ...record, phase: "preparing" }));
  for (const command of ["doctor", "verify", "pull", "status"]) await assertPlain(bot, command);
});

Deno.test("no escape sequence of a damaged file of the store reaches an output", async () => {
  using dir = tempDir();
  const { bot, store } = await pulled(dir);
  for (
    const name of [
      "store.json",
      "quarantine.json",
      "withdrawals.json",
      "intent.json",
      "canary.json",
      "revisions.json",
    ]
  ) {
    const path = join(store, name);
    const before = name === "store.json" ? Deno.readTextFileSync(path) : undefined;
    for (const text of [HOSTILE, JSON.stringify({ [HOSTILE]: HOSTILE }), JSON.stringify([HOSTILE])]) {
      Deno.writeTextFileSync(path, text);
      for (const command of ["status", "doctor"]) await assertPlain(bot, command);
    }
    if (before === undefined) Deno.removeSync(path);
    else Deno.writeTextFileSync(path, before);
  }
  Deno.removeSync(join(store, "current"));
  Deno.symlinkSync(HOSTILE, join(store, "current"));
  for (const command of ["status", "doctor", "verify"]) await assertPlain(bot, command);
});

Deno.test("no escape sequence of a registry's hook, commits or file names reaches an output", async () => {
  using dir = tempDir();
  const { registry, trainer, bot } = await pulled(dir);
  const hook = join(registry, "hooks/pre-receive");
  const words = String.raw`\033[31mno models today\033]0;title\007 \302\2332J \342\200\256gnp`;
  writeProgram(hook, `#!/bin/sh\nprintf '${words}\\n' >&2\nexit 1\n`);
  writeFiles(join(trainer, "models"), { "BTC_USDC/rf.bin": "two" });
  assert.match(await assertPlain(trainer, "publish", "--skip-training"), /rejects it: no models today +gnp/);
  assert.match(await assertPlain(trainer, "status"), /rejects it: no models today +gnp/);
  Deno.removeSync(hook);
  const person = clone(registry, join(dir.path, "person"));
  writeFiles(person, { "models/BTC_USDC/rf.bin": "three" });
  git(person, "add", "--all");
  git(person, "commit", "--quiet", "--author", "Eve\u001b[31m\u009b2J <eve@example.org>", "-m", HOSTILE);
  git(person, "push", "--quiet", "origin", "HEAD:main");
  await assertPlain(bot, "pull");
  assert.match(await assertPlain(bot, "pull", "--accept-other-writers"), /not published by model-sync/);
  assert.match(await assertPlain(bot, "status"), /not published by model-sync/);
  writeFiles(person, { "models/a\u001b[31m.bin": "x" });
  git(person, "add", "--all");
  git(person, "commit", "--quiet", "-m", "a name");
  git(person, "push", "--quiet", "origin", "HEAD:main");
  await assertPlain(bot, "pull", "--dry-run");
  await assertPlain(bot, "pull");
});

Deno.test("no escape sequence of a model's file name, a configuration or a command line reaches an output", async () => {
  using dir = tempDir();
  for (const name of ["a\u001b[31m.bin", "b\u009b2J.bin", "c\u202e.bin", "d\u200b.bin"]) {
    writeFiles(dir.path, { [`models/${name}`]: "x" });
    await assertPlain(dir.path, "publish", "--skip-training", "--dry-run", "--repo-url", dir.path);
    Deno.removeSync(join(dir.path, "models"), { recursive: true });
  }
  const [folder, key] = ["mod\\e[31mels\\x9b", "\\e[2J\\x9b"];
  const configs = [
    `model_sync:\n  models_dir: "${folder}"\n  state_dir: "${key}"\n`,
    `model_sync:\n  "br${key}anch": x\n`,
    `model_sync:\n  repo_url: "https://[::1${key}"\n`,
    `model_sync: [\u001b[31m\n`,
  ];
  for (const text of configs) {
    writeFiles(dir.path, { "configs/bot.yaml": text });
    await assertPlain(dir.path, "config", "check");
    for (const command of [["config", "print"], ["status"], ["doctor"], ["pull", "--branch", HOSTILE]]) {
      const [name = "", ...args] = command;
      await assertPlain(dir.path, name, ...args);
    }
  }
  for (const args of [[`--${HOSTILE}`], [HOSTILE]]) await assertPlain(dir.path, "pull", ...args);
});

Deno.test("a patch is printed unchanged into a pipe, and made safe on a terminal", () => {
  for (const isTerminal of [false, true]) {
    const stdout = new Screen(isTerminal);
    const output = new Output({ json: false, logFormat: "text", level: "info" }, {
      stdout,
      stderr: new Screen(isTerminal),
      noColor: false,
      clock: systemClock,
      columns: () => 80,
    });
    output.result({}, () => [output.paint("red", "x\u001b[2J"), new Verbatim("+\ta\u001b[2J\r\n+b\u009b\n")]);
    assert.equal(
      stdout.text,
      isTerminal
        ? "\u001b[31mx\\u001b[2J\u001b[0m\n+\ta\\u001b[2J\r\n+b\\u009b\n\n"
        : "x\\u001b[2J\n+\ta\u001b[2J\r\n+b\u009b\n\n",
    );
  }
});

Deno.test("a known secret in the name of a model's file is not shown in a result", async () => {
  using dir = tempDir();
  const { trainer } = world(dir);
  writeFiles(join(trainer, "models"), { "tok-in-a-name-77.bin": "x" });
  const env = { ANY_TOKEN: "tok-in-a-name-77" };
  const result = await runCli("publish", ["--dry-run", "--skip-training"], { cwd: trainer, env });
  assert.match(result.stdout, /\+ \[redacted\]\.bin/);
  assert.ok(!(result.stdout + result.stderr).includes("tok-in-a-name-77"));
});
