import { rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import * as z from "zod";
import { clonedCommit, COMMIT_FILE } from "../../cli/_version.ts";
import { parseJson } from "../../lib/core/json.ts";
import { ORT_PACKAGE } from "../../lib/validators/onnx/ort_package.ts";
import { bundleEntry } from "./bundle_entry.ts";
import { compileError, INCOMPLETE_RUNTIME, packageError, startError } from "./compile_error.ts";
import type { Build } from "./compile_options.ts";
import type { CompileTools } from "./compile_tools.ts";
import { programEntries, wholeLock } from "../install/program_packages.ts";
import { userPackages } from "../install/user_packages.ts";
import { packedRuntime } from "./packed_runtime.ts";
import { needlessFiles } from "./needless_files.ts";
import { hostTarget } from "./targets.ts";

const LOCK_FILE = "dist/deno.lock";

/**
 * Returns the options of `deno compile` that are the same for every platform. Downloads the packages that the program
 * imports, and no others, and writes the commit of the clone for the executable's `--version`.
 *
 * @throws {FailedError} code `PACKAGES`, when a package cannot be downloaded
 */
export async function compileOptions({ project, deno, run }: CompileTools): Promise<string[]> {
  const ask = async (...args: string[]) => {
    const { success, stdout, stderr } = await run(deno, args);
    if (!success) throw packageError(stderr);
    return stdout;
  };
  const [main = [], onnx = []] = programEntries(project);
  for (const entry of [main, onnx]) await ask("cache", "-q", "--unstable-npm-lazy-caching", ...entry);
  // The other packages are in the bundle.
  const info = await ask("info", "-q", "--json", ...onnx);
  const packages = userPackages([info]);
  return [
    // Everything is cached now. Without the option, Deno would download the packages of the tests, 400 MB.
    ...["--cached-only", "--no-check", "--no-prompt", "--unstable-npm-lazy-caching", "-P=model-sync"],
    // As the tasks of deno.json: garbage would grow to several times the data.
    "--v8-flags=--optimize-for-size,--min-semi-space-size=2,--max-semi-space-size=2",
    // The executable would run compiled code from a file in the folder for temporary files, which any user can put there.
    "--no-code-cache",
    ...["--include", join(project, "web/static")],
    ...["--include", ORT_PACKAGE, "--lock", writeLock(project)],
    ...packedCommit(project),
    ...needlessFiles(packages).flatMap((path) => ["--exclude", path]),
    ...packedRuntime(project, packages),
  ];
}

/** Writes the lock file of all that the executable contains. @returns its path */
function writeLock(project: string): string {
  const path = join(project, LOCK_FILE);
  Deno.mkdirSync(dirname(path), { recursive: true });
  Deno.writeTextFileSync(path, wholeLock(project));
  return path;
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
 * Builds one executable, and starts it if it is for this machine. A downloaded runtime that was cut off is downloaded again, once.
 *
 * @param options the result of {@link compileOptions}
 * @returns what `deno compile` printed: the tree of the files that it packed
 * @throws {ModelSyncError} codes `RUNTIME_DOWNLOAD`, `RUNTIME_FILE`, `DISK`, `COMPILE`
 */
export async function compileProgram(
  tools: CompileTools,
  options: readonly string[],
  build: Build,
): Promise<string> {
  const { target, path } = build;
  const entry = await bundleEntry(tools, target);
  const args = ["compile", ...options, "--target", target.triple, "-o", resolve(path), entry];
  // DENORT_BIN names a runtime for this machine, and Deno would use it for every platform.
  const compile = () => tools.run(tools.compiler, args, target === hostTarget() ? [] : ["DENORT_BIN"]);
  const runtimes = join(await denoDir(tools), "dl");
  let result = await compile();
  if (!result.success && INCOMPLETE_RUNTIME.test(result.stderr)) {
    removeRuntimes(runtimes, target.triple);
    result = await compile();
  }
  if (!result.success) throw compileError(result.stderr, build, runtimes);
  if (target === hostTarget()) await tryProgram(tools, build);
  return result.stdout + result.stderr;
}

/** Starts the executable, because Deno packs a program behind any file that DENORT_BIN names. */
async function tryProgram({ run }: CompileTools, build: Build): Promise<void> {
  const { stdout } = await run(resolve(build.path), ["--version"]);
  if (stdout.startsWith("model-sync ")) return;
  rmSync(build.path, { force: true });
  throw startError(build);
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
