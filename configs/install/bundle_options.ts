import { join } from "node:path";
import * as z from "zod";
import { parseJson } from "../../lib/core/json.ts";

const Project = z.object({ imports: z.record(z.string(), z.string()) });

/**
 * Returns the imports of the project for a bundle of the program: on systems with POSIX paths, with a smaller module in
 * the place of `node:path`.
 *
 * @param root the address of the project, with a slash at its end
 */
export function bundleImports(project: string, root: string, isWindows: boolean): Record<string, string> {
  const { imports } = Project.parse(parseJson(Deno.readTextFileSync(join(project, "deno.json"))));
  return isWindows ? imports : { ...imports, "node:path": `${root}lib/core/posix_path.ts` };
}

/** Returns the arguments of Deno that write a bundle of an entry into a folder. @param map the path of an import map */
export function bundleArgs(map: string, folder: string, entry: string): string[] {
  const options = ["-q", "--platform", "deno", "--code-splitting", "--import-map", map, "--outdir", folder];
  return ["bundle", ...options, entry];
}

/**
 * Returns the arguments of Deno that write a bundled file and all that it imports into one file.
 *
 * @param external the files that stay apart, as they are imported
 */
export function mergeArgs(entry: string, folder: string, external: readonly string[]): string[] {
  const options = external.map((path) => `--external=${path}`);
  return ["bundle", "-q", "--no-config", "--platform", "deno", ...options, "--outdir", folder, entry];
}
