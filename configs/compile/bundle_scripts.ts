import { Buffer } from "node:buffer";
import { join } from "node:path";
import { Script } from "node:vm";
import { brotliCompressSync, constants } from "node:zlib";
import { listFolder } from "../../lib/core/folders.ts";
import { asciiText } from "../install/ascii_text.ts";
import { reachable } from "../install/module_graph.ts";

/** The file that an executable starts. */
export const RUN_FILE = "run.js";

/** The module that loads the functions of the scripts. */
const LOAD_FILE = "load.js";

/** What the loader says if V8 has another version or other flags than when it compiled the code. */
export const REFUSED_CODE = "the compiled code of this executable does not fit its runtime";

/** The names that the function of a file has for what it loads, and that no bundled file uses. */
const [LOAD, IMPORT, BUILTIN, ADDRESS] = ["__load", "__import", "__builtin", "__address"];

/** An import of the bundler, which may take several lines. */
const STATEMENT = /^import (?:(\{[^}]*\}|\* as [\w$]+|[\w$]+) from )?"([^"\n]+)";$/gm;

/** The exports of a file. */
const EXPORTS = /^export \{\n([^}]*)\n\};$/m;

/** What the bundler makes of `if (import.meta.main)` in files that are not its entry. */
const NEVER = /^if \(false\) (?:\{\n[^]*?^\}|.*;)$/gm;

/** An `import()`; a method with this name is none, where it is called and where it is defined. */
const LATER = /(?<![.#])\bimport\((?![^()]*\) \{)/g;

/** A file that waits while it is loaded. */
const WAITS = /^(?:var|let|const) .*\bawait\b/m;

/** Of eleven levels of Brotli; the last ones take a minute for a twentieth less. */
const QUALITY = 9;

/** Returns bytes in the compression of an executable. */
export function pack(bytes: Uint8Array): Uint8Array {
  return brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: QUALITY } });
}

/** Scripts whose code can be compiled ahead, with the beginnings of the names of files that they have with all these import. */
export type CompiledScripts = Readonly<Record<string, readonly string[]>>;

/** Larger scripts are compressed: few commands load them, and Deno before 2.9 reads all of an executable at each start. */
const PLAIN_MAX = 100_000;

/**
 * Makes scripts of the modules of a bundle: `node:vm` takes compiled code of a script as bytes, and `deno compile` cannot
 * pack that of modules. Each file becomes a function, which returns what the file exported. A file is in the first
 * compiled script that needs it; any other file is a script of its own.
 *
 * The folder then has a script as `NAME.txt`, or compressed as `NAME.br`. If it gets `NAME.bin`, the code of a compiled
 * script, the program uses that.
 *
 * @throws {Error} if the files are not as the bundler writes them
 */
export function writeScripts(folder: string, compiled: CompiledScripts): void {
  const names = (listFolder(Deno, folder) ?? []).map(({ name }) => name);
  const texts = new Map(names.map((name) => [`./${name}`, Deno.readTextFileSync(join(folder, name))]));
  for (const name of names) Deno.removeSync(join(folder, name));
  const places = new Map<string, string>();
  for (const [script, beginnings] of Object.entries(compiled)) {
    const starts = [...texts.keys()].filter((path) =>
      beginnings.some((each) => path.startsWith(`./${each}`))
    );
    const added = [...loadedBy(texts, starts)].filter((path) => !places.has(path));
    for (const path of added) places.set(path, script);
    Deno.writeTextFileSync(join(folder, `${script}.txt`), scriptOf(texts, added));
  }
  const packed: string[] = [];
  for (const path of texts.keys()) {
    if (places.has(path)) continue;
    const script = scriptOf(texts, [path]);
    if (script.length > PLAIN_MAX) packed.push(path);
    if (script.length > PLAIN_MAX) Deno.writeFileSync(join(folder, `${path}.br`), pack(Buffer.from(script)));
    else Deno.writeTextFileSync(join(folder, `${path}.txt`), script);
  }
  const loader = loaderOf(Object.fromEntries(places), Object.keys(compiled), packed);
  Deno.writeTextFileSync(join(folder, LOAD_FILE), loader);
  Deno.writeTextFileSync(
    join(folder, RUN_FILE),
    `import { ${LOAD} } from "./${LOAD_FILE}";\nawait ${LOAD}("./executable.js").start();\n`,
  );
}

/** Returns the paths of the files that are loaded before others run, with their own. */
function loadedBy(texts: ReadonlyMap<string, string>, entries: readonly string[]): Set<string> {
  return reachable(entries, (path) => {
    const text = texts.get(path);
    if (text === undefined) throw new Error(`the bundler did not write ${path}`);
    return importedFiles(text);
  });
}

function importedFiles(text: string): string[] {
  return Array.from(text.matchAll(STATEMENT), ([, , from = ""]) => from).filter((from) =>
    from.startsWith("./")
  );
}

/**
 * Returns the module that loads files. It exports the compiled scripts that were loaded, by their names.
 *
 * @param places the scripts that have files beside those of their own name
 */
function loaderOf(
  places: Readonly<Record<string, string>>,
  compiled: readonly string[],
  packed: readonly string[],
): string {
  return `import { Script } from "node:vm";
const PLACES = ${JSON.stringify(places)};
const COMPILED = ${JSON.stringify(compiled)};
const PACKED = ${JSON.stringify(packed)};
const beside = (name) => new URL(name, import.meta.url);
const builtin = (name) => process.getBuiltinModule(name);
const loaded = new Map();
const opened = new Map();
export const scripts = new Map();
export function ${LOAD}(path) {
  if (!loaded.has(path)) loaded.set(path, filesOf(PLACES[path] ?? path)[path]());
  return loaded.get(path);
}
async function ${IMPORT}(path) {
  return await (path.startsWith("./") ? ${LOAD}(path) : import(path));
}
function filesOf(name) {
  if (!opened.has(name)) opened.set(name, scriptOf(name).runInThisContext()(${LOAD}, ${IMPORT}, builtin, import.meta.url));
  return opened.get(name);
}
function scriptOf(name) {
  const cachedData = COMPILED.includes(name) ? codeOf(name) : undefined;
  const script = new Script(textOf(name), { filename: name, ...(cachedData && { cachedData }) });
  if (COMPILED.includes(name)) scripts.set(name, script);
  // Other flags of the user are the reason then.
  if (script.cachedDataRejected && !Deno.env.has("DENO_V8_FLAGS")) {
    Deno.stderr.writeSync(new TextEncoder().encode("model-sync: ${REFUSED_CODE}; starts take longer\\n"));
  }
  return script;
}
function textOf(name) {
  if (!PACKED.includes(name)) return Deno.readTextFileSync(beside(name + ".txt"));
  return builtin("node:zlib").brotliDecompressSync(Deno.readFileSync(beside(name + ".br"))).toString("latin1");
}
function codeOf(name) {
  try {
    return Deno.readFileSync(beside(name + ".bin"));
  } catch {
    return undefined;
  }
}
`;
}

/** Returns a script with the functions of some files. */
function scriptOf(texts: ReadonlyMap<string, string>, paths: readonly string[]): string {
  const functions = paths.map((path) => functionOf(path, texts));
  const script = asciiText(`(function (${[LOAD, IMPORT, BUILTIN, ADDRESS].join(", ")}) {
"use strict";
return {
${functions.join("\n")}
};
})
`);
  try {
    new Script(script);
  } catch (error) {
    throw new Error(`${paths.join(", ")} cannot be a script`, { cause: error });
  }
  return script;
}

/** Returns the property of the script that is the function of a file. */
function functionOf(path: string, texts: ReadonlyMap<string, string>): string {
  const text = texts.get(path) ?? "";
  for (const name of [LOAD, IMPORT, BUILTIN, ADDRESS]) {
    if (new RegExp(`\\b${name}\\b`).test(text)) throw new Error(`${path} uses the name ${name}`);
  }
  for (const from of importedFiles(text)) {
    if (WAITS.test(texts.get(from) ?? "")) {
      throw new Error(`${path} imports ${from}, which waits while it is loaded`);
    }
  }
  const [, list = ""] = EXPORTS.exec(text) ?? [];
  const exported = list.split(",").map((each) => each.trim().split(" as ")).filter(([local]) => local !== "");
  const body = text
    .replace(EXPORTS, "")
    .replace(STATEMENT, (_whole, names: string | undefined, from: string) => bound(names, from))
    .replace(NEVER, "")
    .replaceAll(LATER, `${IMPORT}(`)
    .replaceAll(/\bimport\.meta\.url\b/g, ADDRESS);
  const left = /^(?:import|export|await)\b.*|\bimport\.meta\b.*/m.exec(body);
  if (left !== null) throw new Error(`${path} has a statement that a script cannot have: ${left[0]}`);
  for (const [local = ""] of exported) {
    const change = changeOf(local).exec(body);
    // Importers have the old value. Those of a module would see the new one.
    if (change !== null) throw new Error(`${path} changes what it exported: ${change[0].trim()}`);
  }
  const properties = exported.map(([local, name = local]) => `${name}: ${local}`);
  const method = `${WAITS.test(body) ? "async " : ""}${JSON.stringify(path)}`;
  return `${method}() {\n${body}\nreturn { ${properties.join(", ")} };\n},`;
}

/** Returns the pattern of a later change of a variable: the bundler gives no other variable of a file its name. */
function changeOf(name: string): RegExp {
  const variable = name.replaceAll("$", "\\$");
  return new RegExp(`^\\s+(?!//|\\*)(?:.*[;{)] )?${variable} ?(?:\\+\\+|--|[-+*/%&|?^]*=(?![=>])).*`, "m");
}

/** Returns a statement that binds the names of an import to those of a file, or of a module of Node's. */
function bound(names: string | undefined, from: string): string {
  const isFile = from.startsWith("./");
  if (!isFile && !from.startsWith("node:")) throw new Error(`a script cannot import ${from}`);
  const value = `${isFile ? LOAD : BUILTIN}(${JSON.stringify(from)})`;
  if (names === undefined) return `${value};`;
  if (/^[{*]/.test(names)) {
    return `const ${names.replace(/^\* as /, "").replaceAll(" as ", ": ")} = ${value};`;
  }
  return `const ${names} = ${value}${isFile ? ".default" : ""};`;
}
