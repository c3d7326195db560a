import { RefusedError } from "../../core/errors.ts";
import { quote } from "../../core/quote.ts";
import { renderAt } from "../json/render_json.ts";
import { renderString } from "../json/render_scalar.ts";
import { lazyObject } from "../json/lazy_nodes.ts";
import { type JsonObject, type JsonValue, LazyObject } from "../json/json_value.ts";
import { automaticDisplayName, DEFAULT_STYLE, modelNameOf, modelSize, settingsOf, tagsOf } from "./cells.ts";
import { type Columns, type ModelRow, MODELS_CSV } from "./models_csv.ts";

/** Line breaks and indentation in `db.json`, before the end of a record and before a field. */
const RECORD_BREAK = "\n    ";
const FIELD_BREAK = `${RECORD_BREAK}    `;

/** Columns whose cells are not fields. */
const REPLACED: ReadonlySet<string> = new Set(["name", "parameters_bn", "parameters"]);

/** Python keeps surplus cells under the key None, which json.dumps writes as "null". */
const SURPLUS = "null";

/** A row, with what several fields need. */
interface NamedRow {
  readonly row: ModelRow;
  readonly name: string;
  readonly size: SizeText;
}

/** What a record says of its model's size. */
interface SizeText {
  /** As JSON. */
  readonly parameters: string;
  readonly tag: string;
}

/** Returns the value of a field as JSON; `undefined` if the record does not have the field. */
type ValueOf = (row: NamedRow) => string | undefined;

/** A field of records. */
interface Field {
  /** Its separator, key and colon. */
  readonly head: string;
  readonly valueOf: ValueOf;
}

/** The fields of every record after its name, in this order. Cells of the row replace their values. */
const DEFAULTS: readonly (readonly [string, ValueOf])[] = [
  ["model_name", ({ name }) => renderString(modelNameOf(name))],
  ["baseline", () => '""'],
  ["parameters", ({ size }) => size.parameters],
  ["description", () => '""'],
  ["version", () => '"1"'],
  ["style", () => renderString(DEFAULT_STYLE)],
  ["nsfw", () => "false"],
];

/** Converts the rows of a file to texts of records. They have the layout of `db.json`, so that equal records have the same characters. */
export class RecordText {
  readonly #fields: readonly Field[];
  /** By cell: many models have the same size. */
  readonly #sizes = new Map<string, SizeText | undefined>();

  constructor(columns: Columns) {
    const fields = new Map(DEFAULTS);
    for (const [column, index] of columns.entries()) {
      if (!REPLACED.has(column)) fields.set(column, valueInColumn(column, index, fields.get(column)));
    }
    fields.set(SURPLUS, surplus(fields.get(SURPLUS)));
    if (!fields.has("display_name")) fields.set("display_name", ({ name }) => displayName("", name));
    this.#fields = Array.from(fields, ([field, valueOf]) => ({
      head: `,${FIELD_BREAK}${renderString(field)}: `,
      valueOf,
    }));
  }

  /**
   * Returns what follows the name in a row's three records. Fields whose cells are empty are missing.
   *
   * @throws {RefusedError} the row has no number of parameters, or no usable settings
   */
  afterName(row: ModelRow, name: string): RecordTail {
    const cell = row.get("parameters_bn") ?? "";
    const size = this.#sizeOf(cell);
    if (size === undefined) {
      throw refused(row, `"parameters_bn" of ${quote(name)} is ${quote(cell)}, which is not a number`);
    }
    const named: NamedRow = { row, name, size };
    const pieces: string[] = [];
    for (const field of this.#fields) {
      const value = field.valueOf(named);
      if (value !== undefined) pieces.push(field.head, value);
    }
    pieces.push(RECORD_BREAK, "}");
    // With `+=`, the text would be a tree, which the first comparison flattens.
    return new RecordTail(pieces.join(""));
  }

  #sizeOf(cell: string): SizeText | undefined {
    if (!this.#sizes.has(cell)) this.#sizes.set(cell, sizeText(cell));
    return this.#sizes.get(cell);
  }
}

/** What follows the name in the three records of a row. Most records are only compared, so the fields are read late. */
export class RecordTail {
  /** From the comma after the name to the end of the record. */
  readonly text: string;
  #fields: JsonObject | undefined;

  constructor(text: string) {
    this.text = text;
  }

  /** The fields, which are read once for all three records. */
  get fields(): JsonObject {
    return this.#fields ??= lazyObject(`{${this.text.slice(1)}`, `a record for ${MODELS_CSV}`);
  }
}

/**
 * Returns the record with a name and what follows it.
 *
 * @param held the record in `db.json`, which is returned if it has the same text
 */
export function recordNamed(name: string, tail: RecordTail, held: JsonValue | undefined): LazyObject {
  const start = `{${FIELD_BREAK}"name": ${renderString(name)}`;
  if (held instanceof LazyObject && held.isText(start, tail.text)) return held;
  const text = start + tail.text;
  const read = () => new Map<string, JsonValue>([["name", name], ...tail.fields]);
  return new LazyObject({ text, read }, 0, text.length);
}

function sizeText(cell: string): SizeText | undefined {
  const size = modelSize(cell);
  if (size === undefined) return undefined;
  return { parameters: size.parameters === 0n ? "null" : String(size.parameters), tag: size.tag };
}

/** @param fallback the value of the field if the cell is empty */
function valueInColumn(column: string, index: number, fallback: ValueOf | undefined): ValueOf {
  const valueIn = ({ csv }: ModelRow) => csv.cells[index] ?? "";
  switch (column) {
    case "tags":
      return tagsIn(valueIn);
    case "settings":
      return ({ row, name }) => {
        const cell = valueIn(row);
        if (cell === "") return undefined;
        const settings = settingsOf(cell, `the settings of ${quote(name)} in ${whereOf(row)}`);
        return settings.size === 0 ? undefined : renderField(settings);
      };
    case "display_name":
      return ({ row, name }) => displayName(valueIn(row), name);
    default:
      return (named) => {
        const value = valueIn(named.row);
        return value === "" ? fallback?.(named) : renderString(value);
      };
  }
}

/** Returns the tags of a row. Many rows have the same, which are created once. */
function tagsIn(valueIn: (row: ModelRow) => string): ValueOf {
  const known = new Map<string, string>();
  return ({ row, size }) => {
    const cell = valueIn(row);
    const style = row.get("style") ?? "";
    const id = `${size.tag} ${style.length} ${style}${cell}`;
    const found = known.get(id) ?? renderField(tagsOf(cell, style, size.tag));
    known.set(id, found);
    return found;
  };
}

/** @param fallback the value of the field if there are no cells beyond the last column */
function surplus(fallback: ValueOf | undefined): ValueOf {
  return (named) => {
    const { rest } = named.row;
    return rest.length === 0 ? fallback?.(named) : renderField(rest);
  };
}

function displayName(cell: string, name: string): string | undefined {
  const shown = cell || automaticDisplayName(name);
  return shown === "" ? undefined : renderString(shown);
}

function renderField(value: JsonValue): string {
  return renderAt(value, FIELD_BREAK);
}

/** Returns the place of a row in messages. */
export function whereOf(row: ModelRow): string {
  return `line ${row.csv.line} of ${MODELS_CSV}`;
}

/** Returns the error for a row that gives no record. */
export function refused(row: ModelRow, problem: string): RefusedError {
  return new RefusedError(`Cannot use ${whereOf(row)}: ${problem}`, {
    code: "TEXT_ROW_INVALID",
    hint: "correct the row in the target repository",
  });
}
