import { join } from "node:path";
import { listFolder } from "../../lib/core/folders.ts";
import { asciiText } from "../install/ascii_text.ts";
import { reachable } from "../install/module_graph.ts";

/** The module that runs the script, and from which others load its functions. */
export const LOAD_FILE = "load.js";

/** The compiled code of the script. */
export const CODE_FILE = "start.bin";

const SCRIPT_FILE = "start.txt";

/** Names that no bundled file uses. */
const [LOAD, IMPORT, BUILTIN] = ["__load", "__import", "__builtin"];

/** An import of the bundler, which may take several lines. */
const STATEMENT = /^import (?:(\{[^}]*\}|\* as [\w$]+|[\w$]+) from )?"([^"\n]+)";$/gm;

/** The exports of a file. */
const EXPORTS = /^export \{\n([^}]*)\n\};$/m;

/** What the bundler makes of `if (import.meta.main)` in files that are not its entry. */
const NEVER = /^if \(false\) (?:\{\n[^]*?^\}|.*;)$/gm;

/** An `import()` of another file of the bundle. */
const LATER = /\bimport\("(\.\/[\w.-]+\.js)"\)/g;

/**
 * Makes functions of one script of the files of a bundle that frequent commands load. Other files stay modules, and use
 * these functions where they imported the files. `deno compile` cannot pack compiled code of modules, but `node:vm` takes
 * that of a script as bytes.
 *
 * @param frequent the beginnings of the names of files that are moved with all that they import
 * @throws {Error} if the files are not as the bundler writes them
 */
export function writeStartScript(folder: string, frequent: readonly string[]): void {
  const names = (listFolder(Deno, folder) ?? []).map(({ name }) => name);
  const texts = new Map(names.map((name) => [`./${name}`, Deno.readTextFileSync(join(folder, name))]));
  const starts = names.filter((name) => frequent.some((beginning) => name.startsWith(beginning)));
  const moved = loadedBy(texts, starts.map((name) => `./${name}`));
  const functions: string[] = [];
  for (const [path, text] of texts) {
    const file = join(folder, path);
    if (moved.has(path)) {
      functions.push(functionOf(path, text));
      Deno.removeSync(file);
    } else {
      Deno.writeTextFileSync(file, moduleOf(path, text, moved));
    }
  }
  Deno.writeTextFileSync(join(folder, SCRIPT_FILE), asciiText(scriptOf(functions)));
  writeLoader(folder, { isCompiled: false });
}

/** Writes the module that runs the script, with or without its compiled code. */
export function writeLoader(folder: string, { isCompiled }: { readonly isCompiled: boolean }): void {
  Deno.writeTextFileSync(
    join(folder, LOAD_FILE),
    `import { Script } from "node:vm";
const beside = (name) => new URL(name, import.meta.url);
const text = Deno.readTextFileSync(beside("${SCRIPT_FILE}"));
const options = { filename: beside("${SCRIPT_FILE}").href };
${isCompiled ? `options.cachedData = Deno.readFileSync(beside("${CODE_FILE}"));\n` : ""}\
export const script = new Script(text, options);
${isCompiled ? REJECTED : ""}\
const builtin = (name) => process.getBuiltinModule(name);
export const [${LOAD}, ${IMPORT}] = script.runInThisContext()((path) => import(path), builtin);
`,
  );
}

/** What an executable says if V8 has another version or other flags than when it compiled the code. */
export const REFUSED_CODE = "the compiled code of this executable does not fit its runtime";

const REJECTED = `if (script.cachedDataRejected) {
  const warning = "model-sync: ${REFUSED_CODE}; starts take longer\\n";
  Deno.stderr.writeSync(new TextEncoder().encode(warning));
}
`;

function scriptOf(functions: readonly string[]): string {
  return `(function (importModule, ${BUILTIN}) {
"use strict";
const loaded = new Map();
function ${LOAD}(path) {
  let exported = loaded.get(path);
  if (exported === undefined) {
    exported = FILES[path]();
    loaded.set(path, exported);
  }
  return exported;
}
async function ${IMPORT}(path) {
  return Object.hasOwn(FILES, path) ? ${LOAD}(path) : await importModule(path);
}
const FILES = {
${functions.join("\n")}
};
return [${LOAD}, ${IMPORT}];
})
`;
}

/** Returns the property of the script that is the function of a file. It returns what the file exports. */
function functionOf(path: string, text: string): string {
  refuseNames(path, text);
  const [, list = ""] = EXPORTS.exec(text) ?? [];
  const exported = list.split(",").map((each) => each.trim().split(" as ")).filter(([local]) => local !== "");
  const body = text
    .replace(EXPORTS, "")
    .replace(STATEMENT, (_whole, names: string | undefined, from: string) => bound(names, from))
    .replace(NEVER, "")
    .replaceAll(/\bimport\(/g, `${IMPORT}(`);
  const left = /^(?:import|export|await)\b.*|.*\bimport\.meta\b.*/m.exec(body);
  if (left !== null) throw new Error(`${path} has a statement that the script cannot have: ${left[0]}`);
  for (const [local = ""] of exported) {
    const change = changeOf(local).exec(body);
    // Importers have the old value. Those of a module would see the new one.
    if (change !== null) throw new Error(`${path} changes what it exported: ${change[0].trim()}`);
  }
  const properties = exported.map(([local, name = local]) => `${name}: ${local}`);
  return `${JSON.stringify(path)}() {\n${body}\nreturn { ${properties.join(", ")} };\n},`;
}

/** Returns the pattern of a later change of a variable: the bundler gives no other variable of a file its name. */
function changeOf(name: string): RegExp {
  const variable = name.replaceAll("$", "\\$");
  return new RegExp(`^\\s+(?!//|\\*)(?:.*[;{)] )?${variable} ?(?:\\+\\+|--|[-+*/%&|?^]*=(?![=>])).*`, "m");
}

/** Returns a file that stays a module, with functions of the script in the place of what it imported from moved files. */
function moduleOf(path: string, text: string, moved: ReadonlySet<string>): string {
  const inner = text
    .replace(
      STATEMENT,
      (whole: string, names: string | undefined, from: string) =>
        moved.has(from) ? bound(names, from) : whole,
    )
    .replace(
      LATER,
      (whole, later: string) => moved.has(later) ? `${IMPORT}(${JSON.stringify(later)})` : whole,
    );
  if (inner === text) return text;
  refuseNames(path, text);
  return `import { ${LOAD}, ${IMPORT} } from "./${LOAD_FILE}";\n${inner}`;
}

/** Returns a statement that binds the names of an import to those of a file of the script, or of a module of Node's. */
function bound(names: string | undefined, from: string): string {
  const isFile = from.startsWith("./");
  if (!isFile && !from.startsWith("node:")) throw new Error(`the script cannot import ${from}`);
  const value = `${isFile ? LOAD : BUILTIN}(${JSON.stringify(from)})`;
  if (names === undefined) return `${value};`;
  if (/^[{*]/.test(names)) {
    return `const ${names.replace(/^\* as /, "").replaceAll(" as ", ": ")} = ${value};`;
  }
  return `const ${names} = ${value}${isFile ? ".default" : ""};`;
}

function refuseNames(path: string, text: string): void {
  for (const name of [LOAD, IMPORT, BUILTIN]) {
    if (new RegExp(`\\b${name}\\b`).test(text)) throw new Error(`${path} uses the name ${name}`);
  }
}

/** Returns the paths of the files that are loaded before others run, with their own. */
function loadedBy(texts: ReadonlyMap<string, string>, entries: readonly string[]): Set<string> {
  return reachable(entries, (path) => {
    const text = texts.get(path);
    if (text === undefined) throw new Error(`the bundler did not write ${path}`);
    return Array.from(text.matchAll(STATEMENT), ([, , from = ""]) => from)
      .filter((from) => from.startsWith("./"));
  });
}
