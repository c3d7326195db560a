import { fileURLToPath } from "node:url";
import { EXIT, type ExitCode, ModelSyncError, osErrorCode } from "../../lib/core/errors.ts";
import { systemFault } from "../../lib/core/system_fault.ts";
import { parseOptions, USAGE } from "./install_options.ts";
import { install } from "./install_program.ts";
import type { InstallWorld } from "./install_world.ts";
import { uninstall } from "./uninstall_program.ts";
import { writeLine } from "../../lib/core/files.ts";

const OTHER_PLACE =
  "name a folder of your own with --prefix, or run the command as the user who may write there, such as root";

/** Does what the command line asks for. @returns the exit code */
export async function runInstaller(
  world: InstallWorld & { readonly complain: (line: string) => void },
  args: readonly string[],
): Promise<ExitCode> {
  try {
    const { action, prefix, isDryRun } = parseOptions(args, world.env, Deno.cwd());
    if (action === "help") world.print(USAGE);
    if (action === "install") await install(world, prefix, isDryRun);
    if (action === "uninstall") await uninstall(world, prefix, isDryRun);
    return EXIT.done;
  } catch (error) {
    const fault = systemFault(error, args[0] === "uninstall" ? "uninstall model-sync" : "install model-sync");
    if (!(fault instanceof ModelSyncError)) throw error;
    if (["EACCES", "EPERM", "EROFS"].includes(osErrorCode(error) ?? "")) fault.reviseHint(OTHER_PLACE);
    world.complain(`error: ${fault.message}`);
    if (fault.hint !== undefined) world.complain(`hint: ${fault.hint}`);
    return fault.exitCode;
  }
}

async function run(
  command: string,
  args: readonly string[],
  { cwd, env }: { readonly cwd: string; readonly env: Readonly<Record<string, string>> },
) {
  const { success, stdout, stderr } = await new Deno.Command(command, {
    args: [...args],
    cwd,
    env: { ...env },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { success, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** Runs the installer of this clone with the arguments of the process. @returns the exit code */
export async function main(): Promise<ExitCode> {
  // Other users, such as that of a service, run what is installed.
  if (Deno.build.os !== "windows") Deno.umask(0o022);
  const world = {
    env: { get: (name: string) => Deno.env.get(name), toObject: () => Deno.env.toObject() },
    clone: fileURLToPath(new URL("../..", import.meta.url)).replace(/[/\\]$/, ""),
    execPath: Deno.execPath(),
    denoVersion: Deno.version.deno,
    os: Deno.build.os,
    print: (line: string) => writeLine(Deno.stdout, line),
    complain: (line: string) => writeLine(Deno.stderr, line),
    run,
  };
  return await runInstaller(world, Deno.args);
}
