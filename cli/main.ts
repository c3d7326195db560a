import { TRY_ONNX, tryOnnx } from "../lib/validators/onnx/try_onnx.ts";
import { EXIT, UsageError } from "../lib/core/errors.ts";
import { VERSION } from "../lib/core/version.ts";
import { ENTRIES, loadRunner } from "./_entries.ts";
import { asksForHelp, asksForJson, type CommandName, noSuchCommand, overview } from "./_help.ts";
import { LIST_VALUES } from "./_shells/list_values.ts";
import { endProcess, type PermissionName, processWorld, type World } from "./_world.ts";
import { Output } from "./_output.ts";

/**
 * The entry point of the executable. It picks the command, gives up the permissions that are not in the command's set,
 * and only then loads the command. Its own help loads nothing else, to be fast.
 *
 * Deno gives up a permission for all paths, programs and variables at once. Lists in a set (the programs of
 * `references-sync`, the variables of `status`) therefore hold from source only.
 */

/** What each command gives up, because its permission set lacks it. A test compares both. */
export const REVOKED: Readonly<Record<string, readonly PermissionName[] | undefined>> = {
  quarantine: ["run"],
  status: ["net", "run", "write"],
  history: ["net", "run", "write"],
  log: ["net", "run", "write"],
  verify: ["net", "run", "write"],
  prune: ["run"],
  redeploy: ["run"],
  dashboard: ["run"],
  pause: ["run"],
  resume: ["run"],
  "run-now": ["run"],
  service: ["net"],
  completions: ["net", "run", "write"],
  man: ["net", "run", "write"],
  keys: ["net", "run"],
  config: ["net", "run"],
} satisfies Partial<Record<CommandName, readonly PermissionName[]>>;

/** Runs the command that the arguments name, or shows help. @returns the exit code */
export async function run(world: World): Promise<number> {
  const [name = "", ...rest] = world.args;
  if (name === "help") {
    const [command = "help", ...words] = rest.filter((word) => !word.startsWith("-"));
    return command === "help" ? showOverview(world) : await runCommand(world, command, [...words, "--help"]);
  }
  if (name === "" || asksForHelp([name])) return showOverview(world);
  if (["--version", "-V"].includes(name)) return await showVersion(world);
  if (name === TRY_ONNX) {
    await tryOnnx();
    return EXIT.done;
  }
  if (name === LIST_VALUES) {
    for (const permission of ["net", "run", "write"] as const) world.permissions.giveUp(permission);
    const { listValues } = await import("./_shells/machine_values.ts");
    return await listValues(world, rest);
  }
  return await runCommand(world, name, rest);
}

async function runCommand(world: World, name: string, args: readonly string[]): Promise<number> {
  const [, entry] = Object.entries(ENTRIES).find(([command]) => command === name) ?? [];
  if (entry === undefined) return outputOf(world).error(await unknownCommand(name));
  for (const permission of REVOKED[name] ?? []) world.permissions.giveUp(permission);
  const [{ runProgram }, { program }] = await Promise.all([loadRunner(), entry.load()]);
  return await runProgram(program, args, world);
}

function showOverview(world: World): number {
  outputOf(world).text(overview(VERSION, world.columns()));
  return EXIT.done;
}

async function showVersion(world: World): Promise<number> {
  const { describeVersion } = await import("./_version.ts");
  const { json, text } = describeVersion(world.fs);
  outputOf(world).document(json, () => [text]);
  return EXIT.done;
}

function outputOf(world: World): Output {
  return new Output({ json: asksForJson(world.args), logFormat: "text", level: "info" }, world);
}

async function unknownCommand(name: string): Promise<UsageError> {
  const { suggestion } = await import("../lib/config/complaints.ts");
  const meant = suggestion(name, [...Object.keys(ENTRIES), "--help", "--version"]);
  return new UsageError(`${noSuchCommand(name, name)}${meant}`, {
    code: "USAGE",
    hint: "model-sync --help lists the commands",
  });
}

/** Runs the command line of the process, and ends it. */
export async function start(): Promise<never> {
  return await endProcess(await run(processWorld));
}

if (import.meta.main) await start();
