import { RefusedError } from "../../core/errors.ts";
import { quote } from "../../core/quote.ts";
import {
  isJsonArray,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  LazyObject,
} from "../json/json_value.ts";
import { parseJson } from "../json/read_nodes.ts";
import { renderAt } from "../json/render_json.ts";
import { renderString } from "../json/render_scalar.ts";
import {
  type Column,
  isModelRow,
  type ModelRow,
  MODELS_CSV,
  type ModelsCsv,
  readModelsCsv,
} from "./models_csv.ts";
import {
  automaticDisplayName,
  DEFAULT_STYLE,
  keysOf,
  modelNameOf,
  modelSize,
  settingsOf,
  tagsOf,
} from "./cells.ts";

/** Line breaks and indentation in `db.json`, before the end of a record and before a field. */
const RECORD_BREAK = "\n    ";
const FIELD_BREAK = `${RECORD_BREAK}    `;

/** The fields of every record after its name, in this order, as JSON. Values of the row replace them. */
const DEFAULTS: readonly (readonly [string, string])[] = [
  ["model_name", '""'],
  ["baseline", '""'],
  ["parameters", "null"],
  ["description", '""'],
  ["version", '"1"'],
  ["style", renderString(DEFAULT_STYLE)],
  ["nsfw", "false"],
];

/** Columns whose cells are not fields. */
const REPLACED: ReadonlySet<string> = new Set(["name", "parameters_bn", "parameters"]);

/** Python keeps surplus cells under the key None, which json.dumps writes as "null". */
const SURPLUS = "null";

/** The records of a file, with warnings. */
export interface TextRecords {
  /** In the form of `db.json`. */
  readonly records: JsonObject;
  readonly warnings: readonly string[];
}

/** The columns without which no record can be generated. */
export const NEEDED_COLUMNS: readonly Column[] = ["name", "parameters_bn", "tags", "settings"];

/**
 * Returns the content of `db.json` for a `models.csv`: three records a row. The target repository generates the same
 * with its `convert.py`, and its checks fail if a character differs. Of rows with the same name, the last counts, at
 * the position of the first.
 *
 * @throws {RefusedError} the file cannot be read, or a row has no name, no number of parameters, or no usable settings
 */
export function csvToRecords(text: string): TextRecords {
  return rowsToRecords(readModelsCsv(text, NEEDED_COLUMNS).lines);
}

/**
 * As {@link csvToRecords}, for the lines of a file.
 *
 * @param known texts of rows by {@link textAfterName}
 */
export function rowsToRecords(
  lines: ModelsCsv["lines"],
  known: ReadonlyMap<ModelRow, string> = new Map(),
): TextRecords {
  const records = new Map<string, JsonValue>();
  const warnings: string[] = [];
  for (const row of lines) {
    if (!isModelRow(row)) continue;
    const name = row.values.get("name");
    if (name === undefined) throw refused(row, "the row has no name");
    if (name.includes("://")) {
      warnings.push(`${quote(name)} in ${whereOf(row)} is skipped: it is a URL, not a name`);
      continue;
    }
    const rest = known.get(row) ?? textAfterName(row, name);
    for (const key of keysOf(name)) records.set(key, recordNamed(key, rest));
  }
  return { records, warnings };
}

/** Returns the record with a name and the text after it. Most records are only compared, so the text is read late. */
export function recordNamed(name: string, rest: string): LazyObject {
  const text = `{${FIELD_BREAK}"name": ${renderString(name)}${rest}`;
  return new LazyObject({ text, read: () => readObject(text) }, 0, text.length);
}

function readObject(text: string): JsonObject {
  const value = parseJson(text, `a record for ${MODELS_CSV}`);
  return isJsonObject(value) ? value : new Map();
}

/**
 * Returns the text of a row's record after its name, which is the same in all three records. It has the layout of
 * `db.json`, so that an equal record there has the same characters. Fields whose cells are empty are missing.
 *
 * @throws {RefusedError} the row has no number of parameters, or no usable settings
 */
export function textAfterName(row: ModelRow, name: string): string {
  const cell = row.values.get("parameters_bn") ?? "";
  const size = modelSize(cell);
  if (size === undefined) {
    throw refused(row, `"parameters_bn" of ${quote(name)} is ${quote(cell)}, which is not a number`);
  }
  const fields = new Map(DEFAULTS);
  const model = modelNameOf(name);
  fields.set("model_name", renderString(model));
  for (const [column, value = ""] of row.values) {
    if (column === "tags") {
      fields.set(column, renderField(tagsOf(value, row.values.get("style") ?? "", size.tag)));
    } else if (column === "settings") {
      const settings = settingsOf(value, `the settings of ${quote(name)} in ${whereOf(row)}`);
      if (settings.size > 0) fields.set(column, renderField(settings));
    } else if (column === "display_name") {
      const shown = value || automaticDisplayName(name);
      if (shown !== "") fields.set(column, renderString(shown));
    } else if (column === SURPLUS && row.rest.length > 0) {
      fields.set(column, renderField(row.rest));
    } else if (value !== "" && !REPLACED.has(column)) {
      fields.set(column, renderString(value));
    }
  }
  if (row.rest.length > 0) fields.set(SURPLUS, renderField(row.rest));
  if (size.parameters !== 0n) fields.set("parameters", String(size.parameters));
  if (!row.values.has("display_name")) {
    const shown = automaticDisplayName(name);
    if (shown !== "") fields.set("display_name", renderString(shown));
  }
  let text = "";
  for (const [field, value] of fields) text += `,${FIELD_BREAK}${renderString(field)}: ${value}`;
  return `${text}${RECORD_BREAK}}`;
}

function renderField(value: JsonValue): string {
  return renderAt(value, FIELD_BREAK);
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
