import { rmSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import * as z from "zod";
import { parseJson } from "../../lib/core/json.ts";
import { packageError } from "./compile_error.ts";
import type { CompileTools } from "./compile_tools.ts";
import type { Target } from "./targets.ts";

const Project = z.object({ imports: z.record(z.string(), z.string()) });

/**
 * Bundles the program for an executable, which loads some files then in the place of a thousand. The bundle is two folders
 * below the clone, as the modules are, which name other files from there.
 *
 * @returns the path of its entry
 * @throws {FailedError} code `PACKAGES`
 */
export async function bundleEntry({ project, deno, run }: CompileTools, target: Target): Promise<string> {
  const isWindows = target.name.startsWith("windows");
  const folder = join(project, "dist", isWindows ? "program-windows" : "program");
  rmSync(folder, { recursive: true, force: true });
  const map = `${folder}.json`;
  Deno.mkdirSync(folder, { recursive: true });
  const { imports } = Project.parse(parseJson(Deno.readTextFileSync(join(project, "deno.json"))));
  const paths = isWindows ? {} : { "node:path": pathToFileURL(join(project, "lib/core/posix_path.ts")).href };
  Deno.writeTextFileSync(map, JSON.stringify({ imports: { ...imports, ...paths } }));
  const { success, stderr } = await run(deno, [
    ...["bundle", "-q", "--platform", "deno", "--code-splitting"],
    ...["--import-map", map, "--outdir", folder, join(project, "cli/main.ts")],
  ]);
  rmSync(map);
  if (!success) throw packageError(stderr);
  return join(folder, "main.js");
}
