import assert from "node:assert/strict";
import { join } from "node:path";
import { type CliResult, runCli } from "./run_cli.ts";
import { type TempDir, writeFiles } from "./temp_dir.ts";
import { bareRepository, clone } from "./test_git.ts";

export const MODELS = { "BTC_USDC/metadata.json": "{}", "BTC_USDC/rf.bin": "one" };

/** The setup of seed 0: a trainer and a bot, each with `configs/bot.yaml` and a clone of the registry. */
export function world(
  dir: TempDir,
): { readonly registry: string; readonly trainer: string; readonly bot: string } {
  const registry = bareRepository(join(dir.path, "registry.git"));
  const machines = ["trainer", "bot"].map((name) => {
    const root = join(dir.path, name);
    writeFiles(root, {
      "configs/bot.yaml": `bot: {mode: paper}
model_sync:
  repo_dir: "${join(dir.path, `${name}-clone`)}"
  remote: "origin"
  branch: "main"
  repo_models_subdir: "models"
  publisher:
    schedule: "00:00"
    train_before_push: true
    train_command: ["sh", "-c", "echo training $*; mkdir -p models/BTC_USDC; echo trained > models/BTC_USDC/rf.bin", "train"]
  client:
    schedule: "06:00"
`,
    });
    clone(registry, join(dir.path, `${name}-clone`));
    return root;
  });
  const [trainer = "", bot = ""] = machines;
  writeFiles(join(trainer, "models"), MODELS);
  return { registry, trainer, bot };
}

/** Runs a command in this process. */
export async function run(cwd: string, command: string, ...args: string[]): Promise<CliResult> {
  return await runCli(command, args, { cwd });
}

export async function runJson(
  cwd: string,
  command: string,
  ...args: string[]
): Promise<Record<string, unknown>> {
  const result = await run(cwd, command, ...args, "--json");
  assert.equal(result.code, 0, result.stderr);
  assert.equal(result.stderr, "");
  return JSON.parse(result.stdout);
}
