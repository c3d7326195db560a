import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import * as z from "zod";
import { sourceDigest, sourceLine } from "../../cli/_source_line.ts";
import { SUMMARIES } from "../../cli/_help.ts";
import { ifFound, removeTree, syncFolder, syncFolders } from "../../lib/core/files.ts";
import { listFolder } from "../../lib/core/folders.ts";
import { bundleArgs, bundleImports, mergeArgs } from "./bundle_options.ts";
import { causesOf } from "./deno_causes.ts";
import type { InstallWorld } from "./install_world.ts";
import { syncEach } from "../../lib/core/sync_files.ts";
import { linkOrCopy } from "./link_or_copy.ts";
import { mergeChunks } from "./merge_chunks.ts";
import { loadedBy, moduleGraph } from "./module_graph.ts";
import { programStamp } from "./program_stamp.ts";

/** The entry of the bundle of all commands in its folder. Those of one command are in folders with the command's name. */
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
  // Deno reads a percent sign in an absolute path as the start of a code.
  const info = await run(["info", "--json", MAIN], { DENO_DIR: cache });
  const root = sourceRoot(info);
  // Before the bundler reads the files: a change while it runs makes the list differ from the source.
  await writeSources(world.clone, root, info, folder);
  const made = join(folder, "made");
  Deno.mkdirSync(made);
  const map = (name: string, changes: Readonly<Record<string, string>>) => {
    const path = join(made, `imports_${name}.json`);
    Deno.writeTextFileSync(
      path,
      JSON.stringify({ imports: { ...importsOf(world, root, made), ...changes } }),
    );
    return path;
  };
  await run(bundleArgs(map("all", {}), folder, "cli/bundled.ts"), { DENO_DIR: cache });
  Deno.writeTextFileSync(join(folder, "install_again.txt"), repair);
  for (const name of FREQUENT) {
    const { entry, entries } = writeCommandModules(root, made, name);
    const own = join(folder, name);
    const imports = map(name, { [`${root}cli/_entries.ts`]: pathToFileURL(entries).href });
    await run(bundleArgs(imports, own, pathToFileURL(entry).href), { DENO_DIR: cache });
    const clone = { main: root + MAIN, folder: world.clone, repair };
    await mergeChunks(own, `${name}.js`, clone, async (merged, outdir, external) => {
      await run(mergeArgs(pathToFileURL(join(own, merged)).href, outdir, external), { DENO_DIR: cache });
    });
    Deno.mkdirSync(join(own, "sources"));
    for (const beside of [`sources/${name}.txt`, "install_again.txt"]) {
      Deno.copyFileSync(join(folder, beside), join(own, beside));
    }
  }
  await removeTree(Deno, made);
}

/**
 * Commands that run often. Each has a bundle of its own, which is loaded in two files: in the bundle of all commands,
 * every set of commands that share a module has a file.
 */
export const FREQUENT = ["status", "pull", "publish", "hf-pull", "artifact-pull", "runpod-pull"] as const;

/** Writes the modules for the bundle of one command: its entry, and what takes the place of `cli/_entries.ts`. */
function writeCommandModules(root: string, folder: string, name: typeof FREQUENT[number]) {
  const [entry, entries] = [join(folder, `${name}.ts`), join(folder, `entries_${name}.ts`)];
  const address = (path: string) => JSON.stringify(`${root}cli/${path}`);
  Deno.writeTextFileSync(
    entry,
    `import { startBundle } from ${address("_bundle_start.ts")};
import * as main from ${address("main.ts")};
export const run = () => startBundle(() => Promise.resolve(main));
`,
  );
  Deno.writeTextFileSync(
    entries,
    `import { runProgram } from ${address("_command.ts")};
import { program } from ${address(commandFile(name))};
export const ENTRIES = { ${JSON.stringify(name)}: { load: () => Promise.resolve({ program }) } };
export const loadRunner = () => Promise.resolve({ runProgram });
`,
  );
  return { entry, entries };
}

function commandFile(name: string): string {
  return `${name.replaceAll("-", "_")}.ts`;
}

const MAIN = "cli/main.ts";

const InfoRoots = z.object({ roots: z.array(z.string()).default([]) });

/** Returns the address of the clone as Deno writes it, with a slash at its end. Node encodes other characters. */
function sourceRoot(info: string): string {
  const [main = ""] = InfoRoots.parse(JSON.parse(info)).roots;
  if (!main.endsWith(`/${MAIN}`)) throw new Error(`deno info does not name ${MAIN}`);
  return main.slice(0, -MAIN.length);
}

/** The disk writes several files at once, and their entries in one commit. */
const SYNCS_AT_ONCE = 32;

/** Gives a whole bundle its name. The same bundle stays, because running commands may still load files of it. */
async function moveBundle(scratch: string, program: string): Promise<void> {
  const files = filesIn(scratch);
  const isThere = files.join("\n") === filesIn(program).join("\n") &&
    files.every((file) => isSameFile(join(scratch, file), join(program, file)));
  if (isThere) return;
  const paths = files.map((file) => join(scratch, file));
  await syncEach({ fs: Deno, signal: new AbortController().signal }, paths, SYNCS_AT_ONCE);
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

/** Returns the imports of the clone, with the address of the clone in the place of the module that finds it. */
function importsOf({ clone, os }: InstallWorld, root: string, folder: string): Record<string, string> {
  const rootModule = join(folder, "source_root.ts");
  Deno.writeTextFileSync(rootModule, `export const SOURCE_ROOT: string = ${JSON.stringify(root)};\n`);
  return {
    ...bundleImports(clone, root, os === "windows"),
    [`${root}lib/core/source_root.ts`]: pathToFileURL(rootModule).href,
  };
}

/** Writes for each command the files of its source, by which the bundle notices that they have changed. */
async function writeSources(clone: string, root: string, info: string, folder: string): Promise<void> {
  const graph = moduleGraph(info);
  const lines = new Map<string, string>();
  const lineOf = async (path: string) => {
    const line = lines.get(path) ??
      `${await sourceDigest(`${clone}/`, path)}\t${sourceLine(`${clone}/`, path)}\n`;
    lines.set(path, line);
    return line;
  };
  Deno.mkdirSync(join(folder, "sources"));
  for (const name of Object.keys(SUMMARIES)) {
    const command = `cli/${commandFile(name)}`;
    const files = [
      ...loadedBy(graph, root + MAIN, { later: false }),
      ...loadedBy(graph, root + command, { later: true }),
    ].filter((address) => graph.has(address) && address.startsWith(root));
    const paths = new Set(files.map((address) => decodeURIComponent(address.slice(root.length))));
    // A list without them would never differ from the source.
    for (const path of [MAIN, command]) {
      if (!paths.has(path)) throw new Error(`deno info does not list ${path}`);
    }
    const listed = [];
    for (const path of ["deno.json", "deno.lock", ...paths].sort()) listed.push(await lineOf(path));
    Deno.writeTextFileSync(join(folder, "sources", `${name}.txt`), listed.join(""));
  }
}
