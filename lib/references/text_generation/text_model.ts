import { RefusedError } from "../../core/errors.ts";
import { quote } from "../../core/quote.ts";
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from "../json/json_value.ts";
import { renderInline } from "../json/render_json.ts";
import { type Column, MODELS_CSV } from "./models_csv.ts";
import {
  automaticDisplayName,
  checkedSettings,
  DEFAULT_STYLE,
  modelSize,
  requireFlat,
  sizeCell,
  tagsCell,
} from "./cells.ts";
import { pythonStrip } from "./python_text.ts";
import { MAX_CELL_CHARACTERS } from "./csv.ts";

/** PRIMARY's record of a text model, in the form of `models.csv`. */
export interface TextModel {
  readonly parameters: bigint;
  /** The tag of its size in billions: `7B`. */
  readonly sizeTag: string;
  /** All tags, with the automatic ones. */
  readonly tags: readonly string[];
  readonly settings: JsonObject;
  /** Its row, as the original tool writes it. */
  readonly cells: ReadonlyMap<Column, string>;
}

/**
 * Reads a record of PRIMARY.
 *
 * @throws {RefusedError} its name, number of parameters, tags or settings are invalid, or it contains text that a CSV file
 * cannot hold. Parameters are a positive integer, tags a list of texts without commas, and settings known and flat
 */
export function textModel(name: string, record: JsonValue): TextModel {
  const reader = new RecordReader(name, record);
  if (name === "" || /[\r\n]/.test(name)) {
    throw refused(name, `${quote(name)} cannot be the name of a model`);
  }
  const parameters = reader.parameters();
  const size = sizeCell(parameters);
  const sizeTag = size === undefined ? undefined : modelSize(size)?.tag;
  if (size === undefined || sizeTag === undefined) {
    throw refused(name, `"parameters" of ${quote(name)} are ${parameters}, more than a row can say exactly`);
  }
  const displayName = reader.text("display_name");
  const named = reader.text("style");
  const tags = reader.tags(named);
  // A style that is not among the tags is a default, not from the row.
  const style = named === DEFAULT_STYLE && !tags.includes(named) ? "" : named;
  const settings = reader.settings();
  const cells = new Map<Column, string>([
    ["name", name],
    ["parameters_bn", size],
    ["display_name", displayName === automaticDisplayName(name) ? "" : displayName],
    ["url", reader.text("url")],
    ["baseline", reader.text("baseline")],
    ["description", reader.text("description")],
    ["style", style],
    ["tags", tagsCell(tags, style, sizeTag)],
    ["instruct_format", reader.text("instruct_format")],
    ["settings", settings.size === 0 ? "" : renderInline(settings)],
  ]);
  for (const [column, cell] of cells) requireWritable(name, column, cell);
  return { parameters, sizeTag, tags, settings, cells };
}

/** The fields of one record, each checked when it is read. */
class RecordReader {
  readonly #name: string;
  readonly #record: JsonObject;

  constructor(name: string, record: JsonValue) {
    if (!isJsonObject(record)) throw refused(name, `the record of ${quote(name)} is not a JSON object`);
    this.#name = name;
    this.#record = record;
  }

  text(field: string): string {
    const value = this.#record.get(field) ?? "";
    if (typeof value !== "string") throw this.#refused(field, "is not a text");
    return value;
  }

  parameters(): bigint {
    const value = this.#record.get("parameters") ?? null;
    if (value === null) throw this.#refused("parameters", "is missing");
    const whole = typeof value === "number" && Number.isInteger(value) ? BigInt(value) : value;
    if (typeof whole !== "bigint" || whole <= 0n) {
      throw this.#refused("parameters", "is not a positive integer");
    }
    return whole;
  }

  tags(style: string): readonly string[] {
    const value = this.#record.get("tags") ?? [];
    if (!isJsonArray(value)) throw this.#refused("tags", "is not a list");
    return value.map((tag) => {
      if (typeof tag !== "string") throw this.#refused("tags", "contains a value that is not a text");
      // The style has its own column, which is neither split nor trimmed.
      if (tag === style) return tag;
      if (tag.includes(",")) {
        throw this.#refused("tags", `contains ${quote(tag)}, but a tag cannot have a comma`);
      }
      return pythonStrip(tag);
    });
  }

  settings(): JsonObject {
    const what = `the settings of ${quote(this.#name)} at PRIMARY`;
    const settings = checkedSettings(this.#record.get("settings") ?? new Map(), what);
    requireFlat(settings, what);
    return settings;
  }

  #refused(field: string, problem: string): RefusedError {
    return refused(this.#name, `${quote(field)} of ${quote(this.#name)} ${problem}`);
  }
}

/** Refuses text that UTF-8 cannot encode or Python's `csv` cannot read. */
function requireWritable(name: string, column: Column, cell: string): void {
  const problem = !cell.isWellFormed()
    ? "contains half a character (a lone surrogate)"
    : cell.includes("\0")
    ? "contains a NUL character"
    : cell.length > MAX_CELL_CHARACTERS
    ? `has ${cell.length} characters, but Python's csv reads at most ${MAX_CELL_CHARACTERS}`
    : undefined;
  if (problem !== undefined) throw refused(name, `${quote(column)} of ${quote(name)} ${problem}`);
}

function refused(name: string, problem: string): RefusedError {
  return new RefusedError(`Cannot write PRIMARY's record of ${quote(name)} to ${MODELS_CSV}: ${problem}`, {
    code: "TEXT_RECORD_INVALID",
    hint: `correct the record of ${quote(name)} at PRIMARY`,
  });
}
