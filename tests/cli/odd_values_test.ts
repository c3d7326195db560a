import assert from "node:assert/strict";
import { join } from "node:path";
import type { Command, Program } from "../../cli/_command.ts";
import type { Option } from "../../cli/_declaration.ts";
import { optionName } from "../../cli/_help.ts";
import { COMMON_OPTIONS } from "../../cli/_options.ts";
import { ENTRIES } from "../../cli/_entries.ts";
import { withoutPipes } from "../helpers/damage.ts";
import { HurriedClock } from "../helpers/fake_clock.ts";
import { readOnlyFs, rootedFs } from "../helpers/fake_fs.ts";
import { type CliResult, runCli } from "../helpers/run_cli.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";

const LONG = "x".repeat(100_000);
const VALUES = [
  "",
  " ",
  "a\0b",
  LONG,
  "-1",
  "NaN",
  "1e309",
  "99999999999999999999999",
  "0.5",
  "-",
  "--",
  "a\nb",
  "[",
  "../..",
  "https://[::1",
  "\x1b[31mred",
  "__proto__",
  '{"__proto__": 1',
  "\ud800",
];

const CONFIG = {
  model_sync: {
    repo_url: "registry.git",
    publisher: { train_before_push: false },
    references: { primary_url: "http://primary.example/" },
    runpod: { trigger_url: "http://h.example/run", status_url_template: "http://h.example/{job_id}" },
    huggingface: { repo_id: "a/b" },
    artifacts: { owner: "o", repository: "r" },
  },
};

/** Runs a command in a folder where nothing can be written, on a network where nothing is found. */
async function run(cwd: string, words: readonly string[]): Promise<CliResult> {
  const [command = "", ...args] = words;
  const shown = words.map((word) => JSON.stringify(word).slice(0, 60)).join(" ");
  const result = await runCli(command, args, {
    cwd,
    env: { GITHUB_TOKEN: "ghp_x", HF_TOKEN: "hf_x" },
    world: {
      fs: withoutPipes(readOnlyFs(rootedFs(cwd))),
      http: () => Promise.resolve(new Response("{}", { status: 404 })),
      spawn: () => {
        throw new Deno.errors.NotFound("no programs here");
      },
      clock: new HurriedClock(100_000),
    },
  });
  assert.doesNotMatch(result.stderr, /unexpected: |bug in model-sync|\n {4}at /, shown);
  const errors = result.stderr.split("\n").filter((line) => line.startsWith("error: "));
  // doctor and references-sync print failures as results.
  assert.ok(errors.length <= 1, shown);
  assert.ok(result.code === 0 || errors.length === 1 || result.stdout !== "", shown);
  for (const hidden of ["\0", "\x1b"]) assert.ok(!(result.stderr + result.stdout).includes(hidden), shown);
  return result;
}

interface Described {
  readonly words: readonly string[];
  readonly command: Command;
}

function commandsOf(program: Program): Described[] {
  if ("command" in program) return [{ words: [program.name], command: program.command }];
  return Object.entries(program.commands).map(([name, command]) => ({
    words: [program.name, name],
    command,
  }));
}

/** Required options with values. */
function requiredOf(command: Command, but: string): string[] {
  return Object.entries(command.options).flatMap(([name, option]) =>
    option.kind === "switch" || option.required !== true || name === but
      ? []
      : [optionName(name), name === "role" ? "client" : `new-${name}`]
  );
}

/** The operands that a command needs: a folder or a digest. */
function operandsOf({ operands: { usage } }: Command): string[] {
  return ["RELEASE", "FOLDER"].includes(usage) ? ["models"] : [];
}

/** Whether the option's own parser refuses a value. */
function isRefused(option: Option, value: string): boolean {
  if (option.kind === "switch") return false;
  try {
    option.parse(value);
    return false;
  } catch {
    return true;
  }
}

/** Commands that run until they are stopped. */
const SERVING: readonly string[] = ["daemon", "dashboard"];

for (const [name, entry] of Object.entries(ENTRIES)) {
  Deno.test(`each option of ${name} takes an odd value, or refuses it in one line with exit 2`, async () => {
    using dir = tempDir();
    const cwd = join(dir.path, "a/b");
    writeFiles(cwd, { "configs/bot.yaml": JSON.stringify(CONFIG), "models/a.bin": "x" });
    const { program } = await entry.load();
    for (const { words, command } of commandsOf(program)) {
      const positional = operandsOf(command);
      for (const [flagName, flag] of Object.entries(command.options)) {
        // The common options are tried with one command.
        if (Object.hasOwn(COMMON_OPTIONS, flagName) && name !== "status") continue;
        const option = optionName(flagName);
        const start = [...words, ...requiredOf(command, flagName)];
        const usage = async (...args: string[]) =>
          assert.equal((await run(cwd, args)).code, 2, args.join(" "));
        if (flag.kind === "switch") {
          await usage(...start, `${option}=odd`, ...positional);
          await usage(...start, `${option}=`, ...positional);
          continue;
        }
        await usage(...start, ...positional, option);
        if (flag.repeatable !== true) await usage(...start, option, "1", option, "1", ...positional);
        for (const value of VALUES) {
          const refused = isRefused(flag, value);
          if (SERVING.includes(name) && !refused && flagName !== "at") continue;
          const { code, stderr } = await run(cwd, [...start, `${option}=${value}`, ...positional]);
          if (refused) assert.equal(code, 2, `${option} ${value.slice(0, 60)}: ${stderr.slice(0, 300)}`);
        }
      }
      for (const odd of ["--", "--x=", "--=", "-", "-z", "---", LONG, "\0", "a\nb"]) {
        if (!SERVING.includes(name)) {
          await run(cwd, [...words, ...requiredOf(command, ""), ...positional, odd, odd, odd]);
        }
      }
    }
  });
}

/** Values that the option accepts, and its setting refuses. */
const REFUSED_SETTINGS: ReadonlyArray<readonly [words: readonly string[], values: readonly string[]]> = [
  [["status", "--models-dir"], ["", "a\0b", "\ud800"]],
  [["status", "--state-dir"], ["", "a\0b", "\ud800"]],
  [["status", "--config"], ["", "missing.yaml", "models", "../..", "a\0b", LONG]],
  [["pull", "--branch"], [
    "",
    "/",
    "a//b",
    "a/",
    "-x",
    "a b",
    "a..b",
    "a.lock",
    "HEAD",
    "@",
    "x".repeat(245),
    "a\nb",
  ]],
  [["publish", "--branch"], ["/", LONG, "a/.b", ".", "a@{1}"]],
  [["pull", "--repo-url"], ["", "-x", "https://[::1", "a\nb", "a\0b"]],
  [["pull", "--remote"], ["", "-x", " "]],
  [["pull", "--repo-models-subdir"], ["", "/", "..", "a/../b", ".git", "a\\b"]],
  [["hf-pull", "--revision"], ["", "-x", "/x", "a b", "a..b"]],
  [["hf-pull", "--include"], ["", "a\0b", "\ud800"]],
  [["hf-pull", "--repo-id"], ["", "a", "a/b/c", "a /b"]],
  [["dashboard", "--listen"], ["", "x", ":8080", "127.0.0.1", "127.0.0.1:99999", "a b:1", "a\0b:1", LONG]],
  [["dashboard", "--kv"], ["", "ftp://example.com/kv", "https://", "a\0b", "models"]],
  [["daemon", "--role", "client", "--at"], ["", "25:00", "* * * *", "06:00\n", LONG]],
];

for (const [words, values] of REFUSED_SETTINGS) {
  Deno.test(`${words.join(" ")} refuses what its setting refuses, with exit 2`, async () => {
    using dir = tempDir();
    writeFiles(dir.path, { "configs/bot.yaml": JSON.stringify(CONFIG), "models/a.bin": "x" });
    for (const value of values) {
      const [option = "", ...others] = words.toReversed();
      const { code, stderr } = await run(dir.path, [...others.toReversed(), `${option}=${value}`]);
      assert.equal(code, 2, `${JSON.stringify(value.slice(0, 60))}: ${stderr.slice(0, 300)}`);
    }
  });
}

Deno.test("an option with a value of several lines, or an empty one, is an option with either spelling", async () => {
  using dir = tempDir();
  writeFiles(dir.path, { "models/a.bin": "x" });
  for (const value of ["", "a\nb"]) {
    const joined = await run(dir.path, ["rollback", `--to=${value}`]);
    const apart = await run(dir.path, ["rollback", "--to", value]);
    assert.deepEqual(joined, apart);
    assert.doesNotMatch(joined.stderr, /Cannot use the argument/);
  }
});
