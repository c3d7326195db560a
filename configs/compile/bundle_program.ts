import { rmSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { bundleArgs, bundleImports } from "../install/bundle_options.ts";
import { packageError } from "./compile_error.ts";
import type { CompileTools } from "./compile_tools.ts";
import type { Target } from "./targets.ts";

/**
 * Bundles the program for an executable, which loads some files then in the place of a thousand. The bundle is two folders
 * below the clone, as the modules are, which name other files from there.
 *
 * @returns the path of its folder
 * @throws {FailedError} code `PACKAGES`
 */
export async function bundleProgram({ project, deno, run }: CompileTools, target: Target): Promise<string> {
  const isWindows = target.name.startsWith("windows");
  const folder = join(project, "dist", isWindows ? "program-windows" : "program");
  rmSync(folder, { recursive: true, force: true });
  const map = `${folder}.json`;
  Deno.mkdirSync(folder, { recursive: true });
  const imports = bundleImports(project, pathToFileURL(join(project, "/")).href, isWindows);
  Deno.writeTextFileSync(map, JSON.stringify({ imports }));
  const { success, stderr } = await run(deno, bundleArgs(map, folder, join(project, "cli/executable.ts")));
  rmSync(map);
  if (!success) throw packageError(stderr);
  return folder;
}
