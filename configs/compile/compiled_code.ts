import { rmSync } from "node:fs";
import { basename, join } from "node:path";
import { FailedError } from "../../lib/core/errors.ts";
import { causesOf } from "../install/deno_causes.ts";
import { startError } from "./compile_error.ts";
import type { Build } from "./compile_options.ts";
import type { CompileTools } from "./compile_tools.ts";
import type { CompiledScripts } from "./bundle_scripts.ts";
import { programName } from "./targets.ts";

/** The options of `deno compile` on which compiled code depends. */
export const RUNTIME_OPTIONS: readonly string[] = [
  // The program needs no package: all are in its bundle. Without the options, Deno would download those of the tests, 400 MB.
  ...["--cached-only", "--no-check", "--no-lock", "--unstable-npm-lazy-caching"],
  // Deno before 2.7 has Temporal with this option only, and the first formatter of Intl costs a start eight milliseconds.
  "--unstable-temporal",
  // As the tasks of deno.json: garbage would grow to several times the data.
  "--v8-flags=--optimize-for-size,--min-semi-space-size=2,--max-semi-space-size=2",
  // The executable would run compiled code from a file in the folder for temporary files, which any user can put there.
  "--no-code-cache",
];

/** The files whose code is compiled ahead: those of the entry and of `status`, and what `pull` needs beside them. */
export const COMPILED: CompiledScripts = { start: ["executable.", "_command-", "status-"], pull: ["pull-"] };

/**
 * Compiles {@link COMPILED} ahead: runs frequent commands in a program with the runtime of the executable, and writes the
 * code that V8 compiled for them.
 *
 * @param folder the folder of the bundle, in which the code is written
 * @param compile runs `deno compile` with a path to write and further arguments
 * @throws {ModelSyncError} codes `RUNTIME_FILE` and `COMPILE`, if the program does not run, and what `compile` throws
 */
export async function writeCode(
  { project, run }: CompileTools,
  build: Build,
  folder: string,
  compile: (path: string, args: readonly string[]) => Promise<void>,
): Promise<void> {
  const writer = join(project, "dist", programName("write_code", build.target));
  const source = join(project, "configs/compile/write_code.ts");
  const machines = Deno.makeTempDirSync({ prefix: "model-sync-compile-" });
  try {
    await compile(writer, ["-q", "-A", ...RUNTIME_OPTIONS, "--include", folder, source]);
    const { success, stderr } = await run(writer, [basename(folder), machines, folder]);
    if (!success) {
      const [cause] = causesOf(stderr);
      if (cause === undefined) throw startError(build);
      throw new FailedError(`Cannot compile for ${build.target.name}: ${cause}`, { code: "COMPILE" });
    }
  } finally {
    rmSync(writer, { force: true });
    rmSync(machines, { recursive: true, force: true });
  }
}
