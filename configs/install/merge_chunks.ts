import { join } from "node:path";
import { listFolder } from "../../lib/core/folders.ts";
import { asciiText } from "./ascii_text.ts";
import { reachable } from "./module_graph.ts";

/** The file of a merged bundle that a launcher starts. */
export const RUN_FILE = "run.js";

/** The file with all that a command loads at its start. */
const START_FILE = "start.js";

/** A file that loads all that a command loads later, for the cache of compiled code. */
export const LATER_FILE = "later.js";

/** The clone of a bundle. */
export interface BundledClone {
  /** The address of `cli/main.ts`. */
  readonly main: string;
  readonly folder: string;
  /** The command line that installs again. */
  readonly repair: string;
}

/**
 * Merges the files of a bundle that are loaded at its start into one: the bundler writes a file for each set of modules
 * that `import()` may load later, too, and each file costs a start a fifth of a millisecond. What is loaded later finds
 * in the place of each merged file one that exports the same from the merged one, so no module exists twice.
 *
 * @param folder of the bundle
 * @param entry its entry, which exports the function `run`
 * @param clone what starts if the merged file cannot be loaded
 * @param bundle writes a bundle of an entry in the folder into another folder, without the files that are named external
 * @throws {Error} if the files are not as the bundler writes them
 */
export async function mergeChunks(
  folder: string,
  entry: string,
  clone: BundledClone,
  bundle: (entry: string, outdir: string, external: readonly string[]) => Promise<void>,
): Promise<void> {
  const texts = new Map(
    (listFolder(Deno, folder) ?? []).filter(({ isFile }) => isFile)
      .map(({ name }) => [name, Deno.readTextFileSync(join(folder, name))]),
  );
  const first = loadedFirst(texts, entry);
  const exported = new Map(
    first.filter((name) => name !== entry).map((name) => [name, exportsOf(texts.get(name) ?? "", name)]),
  );
  const lines = [`export { run } from "./${entry}";`];
  for (const [name, names] of exported) {
    if (names.length === 0) continue;
    lines.push(`export { ${names.map((each) => `${each} as ${alias(name, each)}`)} } from "./${name}";`);
  }
  const made = join(folder, "made");
  Deno.writeTextFileSync(join(folder, START_FILE), `${lines.join("\n")}\n`);
  const later = [...texts.keys()].filter((name) => !first.includes(name));
  await bundle(START_FILE, made, later.map((name) => `./${name}`));
  const merged = join(made, START_FILE);
  Deno.writeTextFileSync(join(folder, START_FILE), asciiText(Deno.readTextFileSync(merged)));
  Deno.removeSync(merged);
  Deno.removeSync(made);
  Deno.removeSync(join(folder, entry));
  for (const [name, names] of exported) {
    const list = names.map((each) => `${alias(name, each)} as ${each}`);
    Deno.writeTextFileSync(join(folder, name), `export { ${list} } from "./${START_FILE}";\n`);
  }
  // A file of its own: what is loaded later would wait for the end of the file that runs the command.
  Deno.writeTextFileSync(join(folder, RUN_FILE), runText(clone));
  Deno.writeTextFileSync(join(folder, LATER_FILE), laterText(later));
}

/** Returns a file that runs the merged one; the source, with a warning, if the disk or a hand damaged that one. */
function runText({ main, folder, repair }: BundledClone): string {
  const advice = `; starting from source. To restore it, run in ${folder}: ${repair}\n`;
  return `const load = async () => {
  try {
    return (await import("./${START_FILE}")).run;
  } catch (error) {
    const [reason] = String(error?.message ?? error).split("\\n", 1);
    const text = "model-sync: cannot load its bundle, " + reason + ${JSON.stringify(advice)};
    Deno.stderr.writeSync(new TextEncoder().encode(text));
    const source = ${JSON.stringify(main)};
    return (await import(source)).start;
  }
};
const run = await load();
await run();
`;
}

/** Returns a file that loads files whatever becomes of each, and ends when Deno has stored their compiled code. */
function laterText(files: readonly string[]): string {
  return `for (const name of ${JSON.stringify(files)}) await import(\`./\${name}\`).catch(() => {});
// Deno stores the code of a file some turns of its event loop after it was loaded.
setTimeout(() => Deno.exit(), 100);
`;
}

/** Returns the names of the files that are loaded before an entry runs, with its own. */
function loadedFirst(texts: ReadonlyMap<string, string>, entry: string): string[] {
  const found = reachable([entry], (name) => {
    const text = texts.get(name);
    if (text === undefined) throw new Error(`the bundler did not write ${name}`);
    return Array.from(text.matchAll(/^(?:import|\} from) "\.\/([^"/]+)";$/gm), ([, path = ""]) => path);
  });
  return [...found].sort();
}

/** Returns the names that a file of the bundler exports, in its last statement. */
function exportsOf(text: string, name: string): string[] {
  const [, list = ""] = /^export \{\n([^}]*)\n\};\n*$/m.exec(text) ?? [];
  const names = list.split(",\n").map((line) => line.trim().split(" as ").at(-1) ?? "").filter(Boolean);
  const others = text.match(/^export /gm)?.length ?? 0;
  if (others !== (names.length === 0 ? 0 : 1) || !names.every((each) => /^[\w$]+$/.test(each))) {
    throw new Error(`the bundler wrote other exports than a list into ${name}`);
  }
  return names;
}

/** Returns the name under which the merged file exports what a file exported. */
function alias(file: string, name: string): string {
  return `${file.replace(/\W/g, "_")}__${name}`;
}
