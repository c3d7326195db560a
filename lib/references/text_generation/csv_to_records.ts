import { RefusedError } from "../../core/errors.ts";
import { quote } from "../../core/quote.ts";
import {
  isJsonArray,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  LazyObject,
} from "../json/json_value.ts";
import { renderInline } from "../json/render_json.ts";
import { renderString } from "../json/render_scalar.ts";
import { isModelRow, type ModelRow, MODELS_CSV, readModelsCsv } from "./models_csv.ts";
import {
  automaticDisplayName,
  DEFAULT_STYLE,
  keysOf,
  modelNameOf,
  modelSize,
  settingsOf,
  tagsOf,
} from "./cells.ts";

/** The fields of every record, in this order. Values of the row replace them. */
const DEFAULTS: readonly (readonly [string, JsonValue])[] = [
  ["baseline", ""],
  ["parameters", null],
  ["description", ""],
  ["version", "1"],
  ["style", DEFAULT_STYLE],
  ["nsfw", false],
];

/** The records of a file, with warnings. */
export interface TextRecords {
  /** In the form of `db.json`. */
  readonly records: JsonObject;
  readonly warnings: readonly string[];
}

/**
 * Returns the content of `db.json` for a `models.csv`: three records a row. The target repository generates the same
 * with its `convert.py`, and its checks fail if a character differs. Of rows with the same name, the last counts, at
 * the position of the first.
 *
 * @throws {RefusedError} the file cannot be read, or a row has no name, no number of parameters, or no usable settings
 */
export function csvToRecords(text: string): TextRecords {
  const { lines } = readModelsCsv(text, ["name", "parameters_bn", "tags", "settings"]);
  const records = new Map<string, JsonValue>();
  const warnings: string[] = [];
  for (const row of lines.filter(isModelRow)) {
    const name = row.values.get("name");
    if (name === undefined) throw refused(row, "the row has no name");
    if (name.includes("://")) {
      warnings.push(`${quote(name)} in ${whereOf(row)} is skipped: it is a URL, not a name`);
      continue;
    }
    const record = recordOf(row, name);
    // Everything after the name, which comes first.
    const rest = renderInline(record).slice(`{"name": ${renderString(name)}`.length);
    for (const key of keysOf(name)) {
      const text = `{"name": ${renderString(key)}${rest}`;
      const read = () => new Map(record).set("name", key);
      records.set(key, new LazyObject({ text, read }, 0, text.length));
    }
  }
  return { records, warnings };
}

/** Returns a row's record, without fields whose cells are empty. */
function recordOf(row: ModelRow, name: string): Map<string, JsonValue> {
  const cell = row.values.get("parameters_bn") ?? "";
  const size = modelSize(cell);
  if (size === undefined) {
    throw refused(row, `"parameters_bn" of ${quote(name)} is ${quote(cell)}, which is not a number`);
  }
  const fields = new Map<string, JsonValue>();
  for (const [column, value] of row.values) {
    if (column !== "name" && column !== "parameters_bn") fields.set(column, value ?? "");
  }
  // Python keeps surplus cells under the key None, which json.dumps writes as "null".
  if (row.rest.length > 0) fields.set("null", row.rest);
  fields.set("parameters", size.parameters);
  fields.set("tags", tagsOf(row.values.get("tags") ?? "", row.values.get("style") ?? "", size.tag));
  const settings = row.values.get("settings") ?? "";
  if (settings !== "") {
    fields.set("settings", settingsOf(settings, `the settings of ${quote(name)} in ${whereOf(row)}`));
  }
  if (!row.values.get("display_name")) fields.set("display_name", automaticDisplayName(name));
  const record = new Map<string, JsonValue>([["name", name], ["model_name", modelNameOf(name)], ...DEFAULTS]);
  for (const [field, value] of fields) {
    if (!isEmpty(value)) record.set(field, value);
  }
  return record;
}

/** The values that are false in Python. */
export function isEmpty(value: JsonValue): boolean {
  if (isJsonArray(value)) return value.length === 0;
  return isJsonObject(value) ? value.size === 0 : !value;
}

function whereOf(row: ModelRow): string {
  return `line ${row.csv.line} of ${MODELS_CSV}`;
}

function refused(row: ModelRow, problem: string): RefusedError {
  return new RefusedError(`Cannot use ${whereOf(row)}: ${problem}`, {
    code: "TEXT_ROW_INVALID",
    hint: "correct the row in the target repository",
  });
}
