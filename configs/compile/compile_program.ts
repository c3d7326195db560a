import { rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import * as z from "zod";
import { clonedCommit, COMMIT_FILE } from "../../cli/_version.ts";
import { parseJson } from "../../lib/core/json.ts";
import { bundleProgram } from "./bundle_program.ts";
import { FailedError } from "../../lib/core/errors.ts";
import { compileError, INCOMPLETE_RUNTIME, packageError, startError } from "./compile_error.ts";
import type { Build } from "./compile_options.ts";
import type { CompileTools } from "./compile_tools.ts";
import { programEntries } from "../install/program_packages.ts";
import { REFUSED_CODE, RUN_FILE, writeScripts } from "./bundle_scripts.ts";
import { COMPILED, RUNTIME_OPTIONS, writeCode } from "./compiled_code.ts";
import { packRuntime } from "./pack_runtime.ts";
import { hostTarget } from "./targets.ts";

/**
 * Returns the options of `deno compile` that are the same for every platform. Downloads the packages that the program
 * imports, and no others, and writes the commit of the clone for the executable's `--version`.
 *
 * @throws {FailedError} code `PACKAGES`, when a package cannot be downloaded
 */
export async function compileOptions(tools: CompileTools): Promise<string[]> {
  const { project, deno, run } = tools;
  const [main = []] = programEntries(project);
  const { success, stderr } = await run(deno, ["cache", "-q", "--unstable-npm-lazy-caching", ...main]);
  if (!success) throw packageError(stderr);
  return [
    ...RUNTIME_OPTIONS,
    ...["--no-prompt", "-P=model-sync"],
    ...["--include", join(project, "web/static")],
    ...["--include", await packRuntime(tools)],
    ...packedCommit(project),
  ];
}

/** What a build writes into `dist` beside executables. */
const PARTS = ["program", "program.json", "program-windows", "program-windows.json", "onnx", "commit.txt"];

/** Removes what builds have written beside executables. Checks of the clone would check it, too. */
export function removeParts(project: string): void {
  for (const part of PARTS) rmSync(join(project, "dist", part), { recursive: true, force: true });
}

function packedCommit(project: string): string[] {
  const commit = clonedCommit(Deno, project);
  if (commit === undefined) return [];
  const path = join(project, COMMIT_FILE);
  Deno.mkdirSync(dirname(path), { recursive: true });
  Deno.writeTextFileSync(path, `${commit}\n`);
  return ["--include", path];
}

/**
 * Builds one executable, and starts it if it is for this machine. Only then it contains compiled code: V8 takes the code of
 * its own platform, and this machine cannot run the runtimes of others.
 *
 * @param options the result of {@link compileOptions}
 * @throws {ModelSyncError} codes `RUNTIME_DOWNLOAD`, `RUNTIME_FILE`, `DISK`, `COMPILE`
 */
export async function compileProgram(
  tools: CompileTools,
  options: readonly string[],
  build: Build,
): Promise<void> {
  const { target } = build;
  const folder = await bundleProgram(tools, target);
  writeScripts(folder, COMPILED);
  const isOurs = target === hostTarget();
  if (isOurs) await writeCode(tools, build, folder, (path, args) => compileFile(tools, build, path, args));
  const program = ["--include", folder, join(folder, RUN_FILE)];
  await compileFile(tools, build, build.path, [...options, ...program]);
  if (isOurs) await tryProgram(tools, build);
}

/** Runs `deno compile`. A downloaded runtime that was cut off is downloaded again, once. */
async function compileFile(
  tools: CompileTools,
  build: Build,
  path: string,
  options: readonly string[],
): Promise<void> {
  const { target } = build;
  const args = ["compile", "--target", target.triple, "-o", resolve(path), ...options];
  // DENORT_BIN names a runtime for this machine, and Deno would use it for every platform.
  const compile = () => tools.run(tools.compiler, args, target === hostTarget() ? [] : ["DENORT_BIN"]);
  const runtimes = join(await denoDir(tools), "dl");
  let result = await compile();
  if (!result.success && INCOMPLETE_RUNTIME.test(result.stderr)) {
    removeRuntimes(runtimes, target.triple);
    result = await compile();
  }
  if (!result.success) throw compileError(result.stderr, build, runtimes);
}

/** Starts the executable: Deno packs a program behind any file that DENORT_BIN names, and V8 may refuse the code. */
async function tryProgram({ run }: CompileTools, build: Build): Promise<void> {
  const { stdout, stderr } = await run(resolve(build.path), ["--version"]);
  if (stdout.startsWith("model-sync ") && !stderr.includes(REFUSED_CODE)) return;
  rmSync(build.path, { force: true });
  if (!stdout.startsWith("model-sync ")) throw startError(build);
  throw new FailedError(`Cannot compile for ${build.target.name}: ${stderr.trim()}`, { code: "COMPILE" });
}

const DenoInfo = z.object({ denoDir: z.string() });

async function denoDir({ deno, run }: CompileTools): Promise<string> {
  const { stdout } = await run(deno, ["info", "--json"]);
  return DenoInfo.parse(parseJson(stdout)).denoDir;
}

/** Deletes the downloaded runtimes for a platform: each version of Deno has a folder, two levels below `dl`. */
function removeRuntimes(folder: string, triple: string): void {
  for (const channel of Deno.readDirSync(folder)) {
    if (!channel.isDirectory) continue;
    for (const version of Deno.readDirSync(join(folder, channel.name))) {
      rmSync(join(folder, channel.name, version.name, `denort-${triple}.zip`), { force: true });
    }
  }
}
