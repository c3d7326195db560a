import { UsageError } from "../lib/core/errors.ts";
import { VERSION } from "../lib/core/version.ts";
import { TRY_ONNX, tryOnnx } from "../lib/validators/onnx/try_onnx.ts";
import type { Program } from "./_command.ts";
import { Output } from "./_output.ts";
import { type CommandName, SUMMARIES } from "./_help.ts";
import { type PermissionName, processWorld, type World } from "./_world.ts";

/**
 * The entry that is compiled into one executable. It picks the command, gives up the permissions that the command does
 * not need, and only then loads it. Its own help loads nothing else, so that it is there at once.
 */

interface Entry {
  /** What the command does not need, and therefore loses. */
  readonly revoked: readonly PermissionName[];
  readonly load: () => Promise<{ readonly program: Program }>;
}

/** Every command with what it gives up: exported for the test that compares it with the permission sets. */
export const ENTRIES: Readonly<Record<CommandName, Entry>> = {
  publish: { revoked: [], load: () => import("./publish.ts") },
  pull: { revoked: [], load: () => import("./pull.ts") },
  "hf-upload": { revoked: ["run"], load: () => import("./hf_upload.ts") },
  "hf-pull": { revoked: [], load: () => import("./hf_pull.ts") },
  "artifact-pull": { revoked: [], load: () => import("./artifact_pull.ts") },
  "runpod-pull": { revoked: [], load: () => import("./runpod_pull.ts") },
  "references-sync": { revoked: [], load: () => import("./references_sync.ts") },
  train: { revoked: [], load: () => import("./train.ts") },
  rollback: { revoked: [], load: () => import("./rollback.ts") },
  canary: { revoked: [], load: () => import("./canary.ts") },
  quarantine: { revoked: ["run"], load: () => import("./quarantine.ts") },
  status: { revoked: ["net", "run", "write"], load: () => import("./status.ts") },
  verify: { revoked: ["net", "run", "write"], load: () => import("./verify.ts") },
  prune: { revoked: ["run"], load: () => import("./prune.ts") },
  redeploy: { revoked: ["run"], load: () => import("./redeploy.ts") },
  daemon: { revoked: [], load: () => import("./daemon.ts") },
  dashboard: { revoked: ["run"], load: () => import("./dashboard.ts") },
  pause: { revoked: ["run"], load: () => import("./pause.ts") },
  resume: { revoked: ["run"], load: () => import("./resume.ts") },
  "run-now": { revoked: ["run"], load: () => import("./run_now.ts") },
  doctor: { revoked: [], load: () => import("./doctor.ts") },
  keys: { revoked: ["net", "run"], load: () => import("./keys.ts") },
  config: { revoked: ["net", "run"], load: () => import("./config.ts") },
};

function help(): string {
  const width = Math.max(...Object.keys(SUMMARIES).map((name) => name.length));
  const list = Object.entries(SUMMARIES).map(([name, summary]) => `  ${name.padEnd(width)}  ${summary}`);
  return `model-sync ${VERSION} moves models from where they are trained to where they serve, safely.

Usage: model-sync <command> [options]

Commands:
${list.join("\n")}

  model-sync <command> --help   shows the options of a command
  model-sync --version          shows the version

Exit codes: 0 done or unchanged, 1 failed, 2 usage or configuration, 3 authentication, 4 unreachable,
5 refused, 6 locked, 7 disk, 8 rolled back, 130 interrupted`;
}

/** Runs the command that the arguments of a world name. @returns the exit code */
export async function run(world: World): Promise<number> {
  const [name = "", ...rest] = world.args;
  const output = new Output({ json: world.args.includes("--json"), logFormat: "text", level: "info" }, world);
  if (["--help", "-h", "help"].includes(name)) return shown(output, help());
  if (["--version", "-V"].includes(name)) return shown(output, VERSION);
  if (name === TRY_ONNX) {
    await tryOnnx();
    return 0;
  }
  if (!isCommand(name)) return output.error(await unknownCommand(name));
  const entry = ENTRIES[name];
  for (const permission of entry.revoked) world.permissions.giveUp(permission);
  const [{ runProgram }, { program }] = await Promise.all([import("./_command.ts"), entry.load()]);
  return await runProgram(program, rest, world);
}

function shown(output: Output, text: string): number {
  output.text(text);
  return 0;
}

function isCommand(name: string): name is CommandName {
  return Object.hasOwn(ENTRIES, name);
}

async function unknownCommand(name: string): Promise<UsageError> {
  const hint = "model-sync --help lists the commands";
  if (name === "") {
    return new UsageError("Cannot tell what to do: no command was given", { code: "USAGE", hint });
  }
  const { suggestion } = await import("../lib/config/complaints.ts");
  const meant = suggestion(name, Object.keys(ENTRIES));
  return new UsageError(`Cannot run "${name}": there is no such command${meant}`, { code: "USAGE", hint });
}

if (import.meta.main) Deno.exit(await run(processWorld));
