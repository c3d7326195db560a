import { RefusedError } from "../../core/errors.ts";
import { quote } from "../../core/quote.ts";
import { type CsvRow, readCsv } from "./csv.ts";

/** The file's name in messages. */
export const MODELS_CSV = "models.csv";

/** The columns of `models.csv`, in the original's order. */
export const COLUMNS = [
  "name",
  "parameters_bn",
  "display_name",
  "url",
  "baseline",
  "description",
  "style",
  "tags",
  "instruct_format",
  "settings",
] as const;
export type Column = (typeof COLUMNS)[number];

/** The columns of a file. */
export class Columns {
  /** In the order of the file, with duplicates. */
  readonly names: readonly string[];
  /** Of duplicate columns, the last cell counts, at the position of the first, as in a Python dict. */
  readonly #indexes = new Map<string, number>();

  constructor(names: readonly string[]) {
    this.names = names;
    for (const [index, name] of names.entries()) this.#indexes.set(name, index);
  }

  /** Returns each column once, with the index of its cell. */
  entries(): Iterable<readonly [string, number]> {
    return this.#indexes;
  }

  indexOf(name: string): number | undefined {
    return this.#indexes.get(name);
  }
}

/** A row that is not blank, as Python's `csv.DictReader` reads it. */
export class ModelRow {
  readonly csv: CsvRow;
  readonly columns: Columns;

  constructor(csv: CsvRow, columns: Columns) {
    this.csv = csv;
    this.columns = columns;
  }

  /** Returns the value in a column; `undefined` if there is no such column, or the row is too short. */
  get(column: string): string | undefined {
    const index = this.columns.indexOf(column);
    return index === undefined ? undefined : this.csv.cells[index];
  }

  /** The cells beyond the last column. */
  get rest(): readonly string[] {
    return this.csv.cells.slice(this.columns.names.length);
  }
}

/** The parsed `models.csv`. */
export interface ModelsCsv {
  readonly header: CsvRow;
  readonly columns: Columns;
  /** All rows after the header, and the blank lines between them. */
  readonly lines: readonly (ModelRow | CsvRow)[];
}

/** Whether a line is a row and not blank. */
export function isModelRow(line: ModelRow | CsvRow): line is ModelRow {
  return line instanceof ModelRow;
}

/**
 * Reads `models.csv` without loss.
 *
 * @param needed the required columns
 * @throws {RefusedError} a column is missing, or the file cannot be read as CSV
 */
export function readModelsCsv(text: string, needed: readonly Column[]): ModelsCsv {
  const [header = { line: 1, text: "", cells: [], ending: "" }, ...rows] = readCsv(text, MODELS_CSV);
  const missing = needed.filter((column) => !header.cells.includes(column));
  if (missing.length > 0) throw withoutColumns(missing, text);
  const columns = new Columns(header.cells);
  return {
    header,
    columns,
    lines: rows.map((row) => row.cells.length === 0 ? row : new ModelRow(row, columns)),
  };
}

function withoutColumns(missing: readonly Column[], text: string): RefusedError {
  const names = missing.map(quote).join(", ");
  return new RefusedError(
    `Cannot read ${MODELS_CSV}: its first line lacks the column ${names}` +
      (text.startsWith("\ufeff") ? ", because a byte order mark hides the first column" : ""),
    {
      code: "CSV_COLUMN_MISSING",
      hint: `begin the file with ${
        COLUMNS.join(",")
      }, or rewrite it with --canonical-format, which needs only "name"`,
    },
  );
}
