import { quote } from "../../core/quote.ts";
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from "../json/json_value.ts";
import { keysOf } from "./cells.ts";
import { type Column, isModelRow, type ModelRow, type ModelsCsv, readModelsCsv } from "./models_csv.ts";
import { recordNamed, type RecordTail, RecordText, refused, whereOf } from "./record_text.ts";

/** The records of a file, with warnings. */
export interface TextRecords {
  /** In the form of `db.json`. */
  readonly records: JsonObject;
  readonly warnings: readonly string[];
}

/** A row that gives the wanted record, and what follows the name in it. */
export interface SettledRow {
  readonly row: ModelRow;
  readonly tail: RecordTail;
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
  return tableToRecords(readModelsCsv(text, NEEDED_COLUMNS), new Map(), new Map());
}

/**
 * As {@link csvToRecords}, for a file that was read.
 *
 * @param settled rows whose records are known, by name
 * @param held the records of `db.json`, of which those with the same text are returned
 */
export function tableToRecords(
  { columns, lines }: Pick<ModelsCsv, "columns" | "lines">,
  settled: ReadonlyMap<string, SettledRow>,
  held: JsonObject,
): TextRecords {
  const texts = new RecordText(columns);
  const records = new Map<string, JsonValue>();
  const warnings: string[] = [];
  for (const row of lines) {
    if (!isModelRow(row)) continue;
    const name = row.get("name");
    if (name === undefined) throw refused(row, "the row has no name");
    if (name.includes("://")) {
      warnings.push(`${quote(name)} in ${whereOf(row)} is skipped: it is a URL, not a name`);
      continue;
    }
    const known = settled.get(name);
    const tail = known?.row === row ? known.tail : texts.afterName(row, name);
    for (const key of keysOf(name)) records.set(key, recordNamed(key, tail, held.get(key)));
  }
  return { records, warnings };
}

/** The values that are false in Python. */
export function isEmpty(value: JsonValue): boolean {
  if (isJsonArray(value)) return value.length === 0;
  return isJsonObject(value) ? value.size === 0 : !value;
}
