import { RefusedError } from "../../core/errors.ts";
import { quote } from "../../core/quote.ts";
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from "../json/json_value.ts";
import { parseJson } from "../json/read_nodes.ts";
import { compareCodePoints, pythonFloat, pythonStrip } from "./python_text.ts";

/** The allowed settings: `generation_params.json` of the target repository. */
const GENERATION_PARAMS: ReadonlySet<string> = new Set([
  "n",
  "frmtadsnsp",
  "frmtrmblln",
  "frmtrmspch",
  "frmttriminc",
  "max_context_length",
  "max_length",
  "rep_pen",
  "rep_pen_range",
  "rep_pen_slope",
  "singleline",
  "temperature",
  "tfs",
  "top_a",
  "top_k",
  "top_p",
  "typical",
  "sampler_order",
  "use_default_badwordsids",
  "stop_sequence",
  "min_p",
  "smoothing_factor",
  "dynatemp_range",
  "dynatemp_exponent",
]);

/**
 * Returns the settings in a cell of `models.csv`.
 *
 * @param what the settings' name in messages
 * @throws {RefusedError} the cell is not a JSON object, or has an unknown setting
 */
export function settingsOf(cell: string, what: string): JsonObject {
  if (cell === "") return new Map();
  return checkedSettings(parseJson(cell, what), what);
}

/**
 * @throws {RefusedError} they are not an object, or have an unknown setting
 */
export function checkedSettings(value: JsonValue, what: string): JsonObject {
  if (!isJsonObject(value)) throw refused(what, "they are not a JSON object");
  const unknown = [...value.keys()].find((key) => !GENERATION_PARAMS.has(key));
  if (unknown !== undefined) {
    throw refused(what, `${quote(unknown)} is not a generation parameter`);
  }
  return value;
}

/**
 * Refuses values that readers of the records reject: a setting is a text, a number, a boolean, or a list of these.
 *
 * @throws {RefusedError} a setting is `null`, an object, or a list with one of these
 */
export function requireFlat(settings: JsonObject, what: string): void {
  for (const [key, value] of settings) {
    const items = isJsonArray(value) ? value : [value];
    if (items.some((item) => item === null || isJsonArray(item) || isJsonObject(item))) {
      throw refused(what, `${quote(key)} is neither text, number nor boolean, nor a list of them`);
    }
  }
}

function refused(what: string, problem: string): RefusedError {
  return new RefusedError(`Cannot use ${what}: ${problem}`, {
    code: "TEXT_SETTINGS_INVALID",
    hint:
      "correct them at their source; generation_params.json of the text repository lists the allowed settings",
  });
}

/** A model's size. Python computes the parameters with `int(float(text) * 1_000_000_000)`. */
export interface ModelSize {
  readonly parameters: bigint;
  /** The size tag: `7B`. */
  readonly tag: string;
}

/**
 * Returns the size in a cell of `parameters_bn`, the billions of parameters; `undefined` if it is not a number.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { modelSize } from "./cells.ts";
 * assert.deepEqual(modelSize("0.56"), { parameters: 560_000_000n, tag: "1B" });
 * // A half goes to the even number, as everywhere in Python.
 * assert.equal(modelSize("2.5")?.tag, "2B");
 * assert.equal(modelSize("7.5")?.tag, "8B");
 * ```
 */
export function modelSize(cell: string): ModelSize | undefined {
  const billions = pythonFloat(cell);
  if (billions === undefined) return undefined;
  const parameters = billions * 1_000_000_000;
  if (!Number.isFinite(parameters)) return undefined;
  return { parameters: BigInt(Math.trunc(parameters)), tag: `${roundedToEven(billions)}B` };
}

/** `f"{round(value, 0):.0f}"` */
function roundedToEven(value: number): string {
  const size = Math.abs(value);
  const below = Math.floor(size);
  const up = size - below > 0.5 || (size - below === 0.5 && below % 2 === 1);
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  return `${sign}${BigInt(below) + (up ? 1n : 0n)}`;
}

/**
 * Returns the shortest cell of `parameters_bn` for exactly this number of parameters; `undefined` if there is none,
 * which happens from about 2^53.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { sizeCell } from "./cells.ts";
 * assert.equal(sizeCell(3_000_000_000n), "3");
 * assert.equal(sizeCell(560_000_000n), "0.56");
 * // Python makes 2029999999 of "2.03".
 * assert.equal(sizeCell(2_030_000_000n), "2.0300000001");
 * ```
 */
export function sizeCell(parameters: bigint): string | undefined {
  const whole = parameters / 1_000_000_000n;
  const fraction = String(parameters % 1_000_000_000n).padStart(9, "0");
  const shortest = `${whole}.${fraction}`.replace(/\.?0+$/, "");
  return [shortest, `${whole}.${fraction}1`].find((cell) => modelSize(cell)?.parameters === parameters);
}

/** Programs that serve text models. The file lists each model under their prefixes, too. */
const APHRODITE = "aphrodite/";
const KOBOLDCPP = "koboldcpp/";

/** Whether a key has a backend's prefix. Such records are generated from the canonical one. */
export function hasBackendPrefix(key: string): boolean {
  return key.startsWith(APHRODITE) || key.startsWith(KOBOLDCPP);
}

/** Returns the part between the first and the second slash, or the whole name without slashes. */
export function modelNameOf(name: string): string {
  const slash = name.indexOf("/");
  if (slash === -1) return name;
  const next = name.indexOf("/", slash + 1);
  return name.slice(slash + 1, next === -1 ? undefined : next);
}

/**
 * Returns the keys of a model in `db.json`.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { keysOf } from "./cells.ts";
 * assert.deepEqual(keysOf("org/Model-7B"), ["org/Model-7B", "aphrodite/org/Model-7B", "koboldcpp/Model-7B"]);
 * assert.deepEqual(keysOf("gpt2"), ["gpt2", "aphrodite/gpt2", "koboldcpp/gpt2"]);
 * ```
 */
export function keysOf(name: string): readonly string[] {
  return [name, `${APHRODITE}${name}`, `${KOBOLDCPP}${modelNameOf(name)}`];
}

/** Returns the keys of backends that belong to none of the models: see {@link keysOf}. */
export function keysWithoutModel(keys: Iterable<string>, models: readonly string[]): string[] {
  const names = new Set(models);
  const modelNames = new Set(models.map(modelNameOf));
  return Array.from(keys).filter((key) =>
    key.startsWith(APHRODITE)
      ? !names.has(key.slice(APHRODITE.length))
      : key.startsWith(KOBOLDCPP) && !modelNames.has(key.slice(KOBOLDCPP.length))
  );
}

/** Returns the default display name: dashes and underscores become blanks, and several of them one. */
export function automaticDisplayName(name: string): string {
  const spaced = modelNameOf(name).replaceAll("-", " ").replaceAll("_", " ");
  return pythonStrip(spaced.includes("  ") ? spaced.replace(/ +/g, " ") : spaced);
}

/** The default style. */
export const DEFAULT_STYLE = "generalist";

/** Returns the tags of a record: those of the cell, the row's style, and the size tag; sorted by code point. */
export function tagsOf(cell: string, style: string, sizeTag: string): readonly string[] {
  const named = cell === "" ? [] : cell.split(",").map(pythonStrip);
  return sortedTags([...named, ...style === "" ? [] : [style], sizeTag]);
}

/** Returns tags without duplicates, in the order of `sorted()`. */
export function sortedTags(tags: readonly string[]): readonly string[] {
  return [...new Set(tags)].sort(compareCodePoints);
}

/** Returns the cell for the tags that are not added automatically. */
export function tagsCell(tags: readonly string[], style: string, sizeTag: string): string {
  const automatic = style === "" ? [sizeTag] : [style, sizeTag];
  const named = [...new Set(tags)].filter((tag) => !automatic.includes(tag));
  // An empty cell means no tags. To get one empty tag, write two.
  return named.length === 1 && named[0] === "" ? "," : named.join(",");
}
