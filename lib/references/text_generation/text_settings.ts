import { RefusedError } from "../../core/errors.ts";
import { quote } from "../../core/quote.ts";
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from "../json/json_value.ts";
import { parseJson } from "../json/parse_json.ts";

/** What `settings` may name: `generation_params.json` of the target repository. */
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
 * The settings that a cell of `models.csv` holds.
 *
 * @param what the settings of which model, for messages
 * @throws {RefusedError} the cell is no JSON object, or names a setting that there is not
 */
export function settingsOf(cell: string, what: string): JsonObject {
  if (cell === "") return new Map();
  return checkedSettings(parseJson(cell, what), what);
}

/**
 * @throws {RefusedError} they are no object, or name a setting that there is not
 */
export function checkedSettings(value: JsonValue, what: string): JsonObject {
  if (!isJsonObject(value)) throw refused(what, "they are no JSON object");
  const unknown = [...value.keys()].find((key) => !GENERATION_PARAMS.has(key));
  if (unknown !== undefined) {
    throw refused(what, `${quote(unknown)} is no generation parameter`);
  }
  return value;
}

/**
 * Refuses what readers of the records take for a mistake: a setting is a text, a number, a boolean, or a list of those.
 *
 * @throws {RefusedError} a setting is `null`, an object, or a list that holds one
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
      "correct them where they come from; generation_params.json of the text repository names what they may hold",
  });
}
