import { RefusedError } from "../../core/errors.ts";
import { quote } from "../../core/quote.ts";
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from "../json/json_value.ts";
import { renderInline } from "../json/render_json.ts";
import { type Column, MODELS_CSV } from "./models_csv.ts";
import { modelSize, sizeCell } from "./model_size.ts";
import { pythonStrip } from "./python_text.ts";
import { MAX_CELL_CHARACTERS } from "./read_csv.ts";
import { automaticDisplayName } from "./text_names.ts";
import { checkedSettings, requireFlat } from "./text_settings.ts";
import { DEFAULT_STYLE, tagsCell } from "./text_tags.ts";

/** What PRIMARY says about a text model, as far as `models.csv` can hold it. */
export interface TextModel {
  readonly parameters: bigint;
  /** All tags, with those that come by themselves. */
  readonly tags: readonly string[];
  readonly settings: JsonObject;
  /** The row that says it, as the original writes it. */
  readonly cells: ReadonlyMap<Column, string>;
}

/**
 * Reads a record of PRIMARY.
 *
 * @throws {RefusedError} it has no usable name, no positive whole number of parameters, tags that are no list of texts
 * or hold a comma, settings that nest or that there are not, or text that no CSV file can hold
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
  // A style that its tags do not name comes from the defaults, not from the row.
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
  return { parameters, tags, settings, cells };
}

/** The fields of one record, each checked when it is read. */
class RecordReader {
  readonly #name: string;
  readonly #record: JsonObject;

  constructor(name: string, record: JsonValue) {
    if (!isJsonObject(record)) throw refused(name, `the record of ${quote(name)} is no JSON object`);
    this.#name = name;
    this.#record = record;
  }

  text(field: string): string {
    const value = this.#record.get(field) ?? "";
    if (typeof value !== "string") throw this.#refused(field, "is no text");
    return value;
  }

  parameters(): bigint {
    const value = this.#record.get("parameters") ?? null;
    if (value === null) throw this.#refused("parameters", "is missing");
    const whole = typeof value === "number" && Number.isInteger(value) ? BigInt(value) : value;
    if (typeof whole !== "bigint" || whole <= 0n) {
      throw this.#refused("parameters", "is no positive whole number");
    }
    return whole;
  }

  tags(style: string): readonly string[] {
    const value = this.#record.get("tags") ?? [];
    if (!isJsonArray(value)) throw this.#refused("tags", "is no list");
    return value.map((tag) => {
      if (typeof tag !== "string") throw this.#refused("tags", "holds something that is no text");
      // The style has a column of its own, where nothing is split or trimmed.
      if (tag === style) return tag;
      if (tag.includes(",")) {
        throw this.#refused("tags", `holds ${quote(tag)}, and a tag cannot have a comma`);
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

/** What UTF-8 cannot encode, or Python's `csv` cannot read, must not get into the file. */
function requireWritable(name: string, column: Column, cell: string): void {
  const problem = !cell.isWellFormed()
    ? "holds half a character (a lone surrogate)"
    : cell.includes("\0")
    ? "holds a NUL character"
    : cell.length > MAX_CELL_CHARACTERS
    ? `has ${cell.length} characters, and Python's csv reads ${MAX_CELL_CHARACTERS}`
    : undefined;
  if (problem !== undefined) throw refused(name, `${quote(column)} of ${quote(name)} ${problem}`);
}

function refused(name: string, problem: string): RefusedError {
  return new RefusedError(`Cannot write PRIMARY's record of ${quote(name)} to ${MODELS_CSV}: ${problem}`, {
    code: "TEXT_RECORD_INVALID",
    hint: `correct the record of ${quote(name)} at PRIMARY`,
  });
}
