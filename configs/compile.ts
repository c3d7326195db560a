/**
 * Builds the executables. The options of `deno compile` and the messages are in `compile/`.
 *
 *     deno task compile                       for this machine
 *     deno task compile --target linux-arm64  for another platform
 *     deno task compile --all                 all platforms of a release, and their checksums
 */
import { rmSync } from "node:fs";
import { basename, dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { neverAborted } from "../lib/core/context.ts";
import { EXIT, type ExitCode, ModelSyncError } from "../lib/core/errors.ts";
import { hashFile } from "../lib/core/hash.ts";
import { systemFault } from "../lib/core/system_fault.ts";
import { compileOptions, compileProgram, removeParts } from "./compile/compile_program.ts";
import type { CompileTools, ProgramResult, RunProgram } from "./compile/compile_tools.ts";
import { asksForUsage, type Build, parseOptions, USAGE } from "./compile/compile_options.ts";
import { writeLine } from "../lib/core/files.ts";

/** What the build needs from outside. */
export interface CompileWorld extends CompileTools {
  /** Prints a line of the result. */
  readonly print: (line: string) => void;
  /** Prints an error or a warning. */
  readonly complain: (line: string) => void;
}

/** Builds what the options ask for. @returns the exit code, of the first build that failed */
export async function compile(world: CompileWorld, args: readonly string[]): Promise<ExitCode> {
  try {
    if (asksForUsage(args)) {
      world.print(USAGE);
      return EXIT.done;
    }
    const { builds, checksums } = parseOptions(args);
    // Old checksums beside new executables would not match them.
    if (checksums !== undefined) rmSync(checksums, { force: true });
    const options = await compileOptions(world);
    const codes: ExitCode[] = [];
    for (const build of builds) codes.push(await compileOne(world, options, build));
    const failed = codes.find((code) => code !== EXIT.done);
    if (failed !== undefined) return failed;
    if (checksums !== undefined) await writeChecksums(checksums, builds);
    return EXIT.done;
  } catch (error) {
    return report(world, error, "compile");
  } finally {
    removeParts(world.project);
  }
}

/** Builds one executable and prints its report. With `--all`, a platform that fails does not keep others from it. */
async function compileOne(world: CompileWorld, options: readonly string[], build: Build): Promise<ExitCode> {
  try {
    Deno.mkdirSync(dirname(build.path), { recursive: true });
    await compileProgram(world, options, build);
    const megabytes = Deno.statSync(build.path).size / 1_000_000;
    world.print(`${build.path} for ${build.target.name}: ${megabytes.toFixed(1)} MB`);
    return EXIT.done;
  } catch (error) {
    return report(world, error, `compile ${build.path}`);
  }
}

/** Prints an error that a user can act on. */
function report(world: CompileWorld, error: unknown, action: string): ExitCode {
  const fault = systemFault(error, action);
  if (!(fault instanceof ModelSyncError)) throw error;
  const hint = fault.hint === undefined
    ? ""
    : `. ${fault.hint.charAt(0).toUpperCase()}${fault.hint.slice(1)}`;
  world.complain(`error: ${fault.message}${hint}`);
  return fault.exitCode;
}

/** Replaces the checksums by a rename, so that an interrupted build leaves none. */
async function writeChecksums(path: string, builds: readonly Build[]): Promise<void> {
  const lines: string[] = [];
  for (const build of builds) {
    const { sha256 } = await hashFile(Deno, build.path, { signal: neverAborted() });
    lines.push(`${sha256}  ${basename(build.path)}\n`);
  }
  Deno.writeTextFileSync(`${path}.tmp`, lines.join(""));
  Deno.renameSync(`${path}.tmp`, path);
}

/** Runs a program without colours, because its output is parsed. */
async function run(...[program, args, dropped = []]: Parameters<RunProgram>): Promise<ProgramResult> {
  const env = { ...Deno.env.toObject(), NO_COLOR: "1" };
  for (const name of dropped) Reflect.deleteProperty(env, name);
  const command = new Deno.Command(program, { args: [...args], clearEnv: true, env, stdin: "null" });
  const { success, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  return { success, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

if (import.meta.main) {
  const world: CompileWorld = {
    project: fileURLToPath(new URL("..", import.meta.url)),
    deno: Deno.execPath(),
    compiler: Deno.env.get("DENO_COMPILE_BIN") ?? Deno.execPath(),
    run,
    print: (line: string) => writeLine(Deno.stdout, line),
    complain: (line: string) => writeLine(Deno.stderr, line),
  };
  Deno.exit(await compile(world, Deno.args));
}
