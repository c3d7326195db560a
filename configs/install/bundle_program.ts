import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import * as z from "zod";
import { sourceLine } from "../../cli/_source_line.ts";
import { SUMMARIES } from "../../cli/_help.ts";
import { ifFound, removeIfThere, removeTree, syncFolder, syncFolders } from "../../lib/core/files.ts";
import { listFolder } from "../../lib/core/folders.ts";
import { causesOf } from "./deno_causes.ts";
import type { InstallWorld } from "./install_world.ts";
import { linkOrCopy } from "./link_or_copy.ts";
import { loadedBy, moduleGraph } from "./module_graph.ts";
import { programStamp } from "./program_stamp.ts";

/** The entry of a bundle in its folder. */
export const BUNDLE_ENTRY = "bundled.js";

const DenoInfo = z.object({ denoDir: z.string().optional() });

interface BundlePlaces {
  readonly runtime: string;
  /** The `DENO_DIR` of the installation. */
  readonly cache: string;
  /** The folder of the bundle, whose name is another one for other source. */
  readonly program: string;
  /** The stamp of the source for which the bundle is meant. */
  readonly stamp: string;
  /** The command line that installs again. */
  readonly repair: string;
}

/**
 * Writes the program as a bundle: some files of JavaScript in the place of a thousand modules, which start in half of
 * the time. Every install bundles again: a power cut or a disk may have damaged a bundle that is there. The bundle is on
 * the disk before it gets its name. Without a bundle, commands start from source.
 *
 * @returns why there is no bundle
 */
export async function bundleProgram(world: InstallWorld, places: BundlePlaces): Promise<string | undefined> {
  const { cache, program, stamp } = places;
  const scratch = `${program}-new`;
  try {
    await removeTree(Deno, scratch);
    Deno.mkdirSync(scratch, { recursive: true });
    await writeBundle(world, places, scratch);
    // Code that changed meanwhile may be in the bundle in part.
    if (await programStamp(world.clone, world.denoVersion) !== stamp) {
      return "the source changed during the install";
    }
    await moveBundle(scratch, program);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    await removeTree(Deno, scratch);
    // The bundler is needed once.
    await removeTree(Deno, join(cache, "dl"));
  }
}

/** Fills a folder. @throws {Error} if Deno cannot bundle the program */
async function writeBundle(
  world: InstallWorld,
  { cache, repair, runtime }: BundlePlaces,
  folder: string,
): Promise<void> {
  const run = async (args: readonly string[], env: Readonly<Record<string, string>> = {}) => {
    const { success, stdout, stderr } = await world.run(runtime, args, {
      cwd: world.clone,
      env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", ...env },
    });
    if (!success) throw new Error(causesOf(stderr)[0] ?? `deno ${args[0]} failed`);
    return stdout;
  };
  shareBundler(DenoInfo.parse(JSON.parse(await run(["info", "--json"]))).denoDir, cache);
  const info = await run(["info", "--json", join(world.clone, MAIN)], { DENO_DIR: cache });
  const root = sourceRoot(info);
  // Before the bundler reads the files: a change while it runs makes the list differ from the source.
  writeSources(world.clone, root, info, folder);
  await run([
    ...["bundle", "-q", "--platform", "deno", "--code-splitting"],
    ...["--import-map", writeImportMap(world, root, folder), "--outdir", folder],
    join(world.clone, "cli/bundled.ts"),
  ], { DENO_DIR: cache });
  for (const name of [MAP, ROOT_MODULE]) removeIfThere(Deno, join(folder, name));
  Deno.writeTextFileSync(join(folder, "install_again.txt"), repair);
}

const MAIN = "cli/main.ts";

const InfoRoots = z.object({ roots: z.array(z.string()).default([]) });

/** Returns the address of the clone as Deno writes it, with a slash at its end. Node encodes other characters. */
function sourceRoot(info: string): string {
  const [main = ""] = InfoRoots.parse(JSON.parse(info)).roots;
  if (!main.endsWith(`/${MAIN}`)) throw new Error(`deno info does not name ${MAIN}`);
  return main.slice(0, -MAIN.length);
}

/** Gives a whole bundle its name. The same bundle stays, because running commands may still load files of it. */
async function moveBundle(scratch: string, program: string): Promise<void> {
  const files = filesIn(scratch);
  const isThere = files.join("\n") === filesIn(program).join("\n") &&
    files.every((file) => isSameFile(join(scratch, file), join(program, file)));
  if (isThere) return;
  for (const file of files) {
    using opened = Deno.openSync(join(scratch, file), { read: true, write: true });
    opened.syncSync();
  }
  syncFolders(Deno, scratch);
  const damaged = `${program}-old`;
  await removeTree(Deno, damaged);
  // Between the two renames, the launcher starts the source.
  ifFound(() => Deno.renameSync(program, damaged));
  Deno.renameSync(scratch, program);
  syncFolder(Deno, dirname(program));
  await removeTree(Deno, damaged);
}

/** Returns the paths of the files below a folder, sorted; none without the folder. */
function filesIn(folder: string): string[] {
  return (listFolder(Deno, folder) ?? []).flatMap(({ name, isDirectory }) =>
    isDirectory ? filesIn(join(folder, name)).map((path) => join(name, path)) : [name]
  ).sort();
}

/** A bundle has some megabytes in a hundred files. */
function isSameFile(one: string, other: string): boolean {
  return Deno.readTextFileSync(one) === Deno.readTextFileSync(other);
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
function writeImportMap({ clone, os }: InstallWorld, root: string, folder: string): string {
  const { imports } = Project.parse(JSON.parse(Deno.readTextFileSync(join(clone, "deno.json"))));
  Deno.writeTextFileSync(
    join(folder, ROOT_MODULE),
    `export const SOURCE_ROOT: string = ${JSON.stringify(root)};\n`,
  );
  const map = {
    ...imports,
    [`${root}lib/core/source_root.ts`]: pathToFileURL(join(folder, ROOT_MODULE)).href,
    ...(os === "windows" ? {} : { "node:path": `${root}lib/core/posix_path.ts` }),
  };
  Deno.writeTextFileSync(join(folder, MAP), JSON.stringify({ imports: map }));
  return join(folder, MAP);
}

/** Writes for each command the files of its source, by which the bundle notices that they have changed. */
function writeSources(clone: string, root: string, info: string, folder: string): void {
  const graph = moduleGraph(info);
  Deno.mkdirSync(join(folder, "sources"));
  for (const name of Object.keys(SUMMARIES)) {
    const command = `cli/${name.replaceAll("-", "_")}.ts`;
    const files = [
      ...loadedBy(graph, root + MAIN, { later: false }),
      ...loadedBy(graph, root + command, { later: true }),
    ].filter((address) => graph.has(address) && address.startsWith(root));
    const paths = new Set(files.map((address) => decodeURIComponent(address.slice(root.length))));
    // A list without them would never differ from the source.
    for (const path of [MAIN, command]) {
      if (!paths.has(path)) throw new Error(`deno info does not list ${path}`);
    }
    const lines = ["deno.json", "deno.lock", ...paths].sort().map((path) =>
      `${sourceLine(`${clone}/`, path)}\n`
    );
    Deno.writeTextFileSync(join(folder, "sources", `${name}.txt`), lines.join(""));
  }
}
