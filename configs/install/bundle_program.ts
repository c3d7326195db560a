import { join } from "node:path";
import { pathToFileURL } from "node:url";
import * as z from "zod";
import { sourceLine } from "../../cli/_source_line.ts";
import { SUMMARIES } from "../../cli/_help.ts";
import { findEntry, removeIfThere, removeTree } from "../../lib/core/files.ts";
import { listFolder } from "../../lib/core/folders.ts";
import { causesOf } from "./deno_causes.ts";
import type { InstallWorld } from "./install_world.ts";
import { linkOrCopy } from "./link_or_copy.ts";
import { loadedBy, moduleGraph } from "./module_graph.ts";

/** The entry of a bundle in its folder. */
export const BUNDLE_ENTRY = "bundled.js";

const DenoInfo = z.object({ denoDir: z.string().optional() });

interface BundlePlaces {
  readonly runtime: string;
  /** The `DENO_DIR` of the installation. */
  readonly cache: string;
  /** The folder of the bundle, whose name is another one for other source. One that is there is whole. */
  readonly program: string;
}

/**
 * Writes the program as a bundle: some files of JavaScript in the place of a thousand modules, which start in half of
 * the time. Without a bundle, commands start from source.
 *
 * @returns why there is no bundle
 */
export async function bundleProgram(world: InstallWorld, places: BundlePlaces): Promise<string | undefined> {
  const { cache, program, runtime } = places;
  const run = async (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
    await world.run(runtime, args, {
      cwd: world.clone,
      env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", ...env },
    });
  if (findEntry(Deno, program) !== undefined) return undefined;
  const scratch = `${program}-new`;
  await removeTree(Deno, scratch);
  Deno.mkdirSync(scratch, { recursive: true });
  try {
    const { stdout } = await run(["info", "--json"]);
    shareBundler(DenoInfo.parse(JSON.parse(stdout)).denoDir, cache);
    const main = join(world.clone, "cli/main.ts");
    const info = await run(["info", "--json", main], { DENO_DIR: cache });
    const bundled = await run([
      ...["bundle", "-q", "--platform", "deno", "--code-splitting"],
      ...["--import-map", writeImportMap(world, scratch), "--outdir", scratch],
      join(world.clone, "cli/bundled.ts"),
    ], { DENO_DIR: cache });
    // The bundler is needed once.
    await removeTree(Deno, join(cache, "dl"));
    if (!info.success || !bundled.success) return causesOf(bundled.stderr)[0] ?? "deno bundle failed";
    writeSources(world.clone, info.stdout, scratch);
    for (const name of [MAP, ROOT_MODULE]) removeIfThere(Deno, join(scratch, name));
    Deno.renameSync(scratch, program);
    return undefined;
  } finally {
    await removeTree(Deno, scratch);
  }
}

/** Deno's bundler is a program of npm, which Deno keeps in `dl`: one that this user has is not downloaded again. */
function shareBundler(denoDir: string | undefined, cache: string): void {
  if (denoDir === undefined) return;
  for (const { name } of listFolder(Deno, join(denoDir, "dl")) ?? []) {
    if (!name.startsWith("esbuild-")) continue;
    Deno.mkdirSync(join(cache, "dl", name), { recursive: true });
    for (const file of listFolder(Deno, join(denoDir, "dl", name)) ?? []) {
      linkOrCopy(join(denoDir, "dl", name, file.name), join(cache, "dl", name, file.name), 0o755);
    }
  }
}

const [MAP, ROOT_MODULE] = ["import_map.json", "source_root.ts"];

const Project = z.looseObject({ imports: z.record(z.string(), z.string()) });

/** Writes the imports of the clone, with modules of a bundle in the place of two others. @returns its path */
function writeImportMap({ clone, os }: InstallWorld, folder: string): string {
  const { imports } = Project.parse(JSON.parse(Deno.readTextFileSync(join(clone, "deno.json"))));
  const address = (path: string) => pathToFileURL(join(clone, path)).href;
  Deno.writeTextFileSync(
    join(folder, ROOT_MODULE),
    `export const SOURCE_ROOT: string = ${JSON.stringify(`${pathToFileURL(clone).href}/`)};\n`,
  );
  const map = {
    ...imports,
    [address("lib/core/source_root.ts")]: pathToFileURL(join(folder, ROOT_MODULE)).href,
    ...(os === "windows" ? {} : { "node:path": address("lib/core/posix_path.ts") }),
  };
  Deno.writeTextFileSync(join(folder, MAP), JSON.stringify({ imports: map }));
  return join(folder, MAP);
}

/** Writes for each command the files of its source, by which the bundle notices that they have changed. */
function writeSources(clone: string, info: string, folder: string): void {
  const graph = moduleGraph(info);
  const root = `${pathToFileURL(clone).href}/`;
  Deno.mkdirSync(join(folder, "sources"));
  for (const name of Object.keys(SUMMARIES)) {
    const entries = ["cli/main.ts", `cli/${name.replaceAll("-", "_")}.ts`].map((path) => root + path);
    const [main = "", command = ""] = entries;
    const files = [
      ...loadedBy(graph, main, { later: false }),
      ...loadedBy(graph, command, { later: true }),
    ].filter((address) => address.startsWith(root));
    const paths = new Set(["deno.json", "deno.lock", ...files.map((file) => file.slice(root.length))]);
    const lines = [...paths].sort().map((path) => `${sourceLine(`${clone}/`, path)}\n`);
    Deno.writeTextFileSync(join(folder, "sources", `${name}.txt`), lines.join(""));
  }
}
