import { pythonStrip } from "./python_text.ts";

/** Programs that serve text models: the file lists each model under their names too. */
const BACKEND_PREFIXES = ["aphrodite/", "koboldcpp/"] as const;

/** Whether a key names a model as one backend serves it: such records are made from the canonical one. */
export function hasBackendPrefix(key: string): boolean {
  return BACKEND_PREFIXES.some((prefix) => key.startsWith(prefix));
}

/** The part after the first slash, up to a second one; the whole name when there is none. */
export function modelNameOf(name: string): string {
  return name.split("/")[1] ?? name;
}

/**
 * The keys under which `db.json` lists a model.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { keysOf } from "./text_names.ts";
 * assert.deepEqual(keysOf("org/Model-7B"), ["org/Model-7B", "aphrodite/org/Model-7B", "koboldcpp/Model-7B"]);
 * assert.deepEqual(keysOf("gpt2"), ["gpt2", "aphrodite/gpt2", "koboldcpp/gpt2"]);
 * ```
 */
export function keysOf(name: string): readonly string[] {
  return [name, `aphrodite/${name}`, `koboldcpp/${modelNameOf(name)}`];
}

/** The name that is shown where none is given: dashes and underscores become blanks. */
export function automaticDisplayName(name: string): string {
  return pythonStrip(modelNameOf(name).replace(/[-_]/g, " ").replace(/ +/g, " "));
}
