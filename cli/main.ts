import { TRY_ONNX, tryOnnx } from "../lib/validators/onnx/try_onnx.ts";
import { EXIT, UsageError } from "../lib/core/errors.ts";
import { VERSION } from "../lib/core/version.ts";
import { asksForHelp, asksForJson, type CommandName, noSuchCommand, overview } from "./_help.ts";
import { LIST_VALUES } from "./_shells/list_values.ts";
import { endProcess, type PermissionName, processWorld, type World } from "./_world.ts";
import type { Program } from "./_command.ts";
import { Output } from "./_output.ts";

/**
 * The entry point of the executable. It picks the command, gives up the permissions that are not in the command's set,
 * and only then loads the command. Its own help loads nothing else, to be fast.
 *
 * Deno gives up a permission for all paths, programs and variables at once. Lists in a set (the programs of
 * `references-sync`, the variables of `status`) therefore hold from source only.
 */

interface Entry {
  /** The permissions that the command's set does not have. */
  readonly revoked: readonly PermissionName[];
  readonly load: () => Promise<{ readonly program: Program }>;
}

/** All commands. A test compares what they give up with the permission sets of deno.json. */
export const ENTRIES: Readonly<Record<CommandName, Entry>> = {
  publish: { revoked: [], load: () => import("./publish.ts") },
  pull: { revoked: [], load: () => import("./pull.ts") },
  "hf-upload": { revoked: [], load: () => import("./hf_upload.ts") },
  "hf-pull": { revoked: [], load: () => import("./hf_pull.ts") },
  "artifact-pull": { revoked: [], load: () => import("./artifact_pull.ts") },
  "runpod-pull": { revoked: [], load: () => import("./runpod_pull.ts") },
  "references-sync": { revoked: [], load: () => import("./references_sync.ts") },
  withdraw: { revoked: [], load: () => import("./withdraw.ts") },
  train: { revoked: [], load: () => import("./train.ts") },
  rollback: { revoked: [], load: () => import("./rollback.ts") },
  canary: { revoked: [], load: () => import("./canary.ts") },
  quarantine: { revoked: ["run"], load: () => import("./quarantine.ts") },
  status: { revoked: ["net", "run", "write"], load: () => import("./status.ts") },
  releases: { revoked: [], load: () => import("./releases.ts") },
  diff: { revoked: [], load: () => import("./diff.ts") },
  history: { revoked: ["net", "run", "write"], load: () => import("./history.ts") },
  log: { revoked: ["net", "run", "write"], load: () => import("./log.ts") },
  verify: { revoked: ["net", "run", "write"], load: () => import("./verify.ts") },
  prune: { revoked: ["run"], load: () => import("./prune.ts") },
  redeploy: { revoked: ["run"], load: () => import("./redeploy.ts") },
  daemon: { revoked: [], load: () => import("./daemon.ts") },
  dashboard: { revoked: ["run"], load: () => import("./dashboard.ts") },
  pause: { revoked: ["run"], load: () => import("./pause.ts") },
  resume: { revoked: ["run"], load: () => import("./resume.ts") },
  "run-now": { revoked: ["run"], load: () => import("./run_now.ts") },
  init: { revoked: [], load: () => import("./init.ts") },
  service: { revoked: ["net"], load: () => import("./service.ts") },
  doctor: { revoked: [], load: () => import("./doctor.ts") },
  completions: { revoked: ["net", "run", "write"], load: () => import("./completions.ts") },
  man: { revoked: ["net", "run", "write"], load: () => import("./man.ts") },
  keys: { revoked: ["net", "run"], load: () => import("./keys.ts") },
  config: { revoked: ["net", "run"], load: () => import("./config.ts") },
};

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
  if (!isCommand(name)) return outputOf(world).error(await unknownCommand(name));
  const entry = ENTRIES[name];
  for (const permission of entry.revoked) world.permissions.giveUp(permission);
  const [{ runProgram }, { program }] = await Promise.all([import("./_command.ts"), entry.load()]);
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

function isCommand(name: string): name is CommandName {
  return Object.hasOwn(ENTRIES, name);
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
