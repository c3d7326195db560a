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

/** A row that is not blank, as Python's `csv.DictReader` reads it. */
export interface ModelRow {
  readonly csv: CsvRow;
  /** The values by column, in the order of the header; `undefined` if the row is too short. */
  readonly values: ReadonlyMap<string, string | undefined>;
  /** Cells beyond the last column. */
  readonly rest: readonly string[];
}

/** The parsed `models.csv`. */
export interface ModelsCsv {
  readonly header: CsvRow;
  readonly columns: readonly string[];
  /** All rows after the header, and the blank lines between them. */
  readonly lines: readonly (ModelRow | CsvRow)[];
}

/** Whether a line is a row and not blank. */
export function isModelRow(line: ModelRow | CsvRow): line is ModelRow {
  return "values" in line;
}

/**
 * Reads `models.csv` without loss.
 *
 * @param needed the required columns
 * @throws {RefusedError} a column is missing, or the file cannot be read as CSV
 */
export function readModelsCsv(text: string, needed: readonly Column[]): ModelsCsv {
  const [header = { line: 1, cells: [], ending: "" }, ...rows] = readCsv(text, MODELS_CSV);
  const columns = header.cells.map((cell) => cell.value);
  const missing = needed.filter((column) => !columns.includes(column));
  if (missing.length > 0) throw withoutColumns(missing, text);
  return { header, columns, lines: rows.map((row) => row.cells.length === 0 ? row : modelRow(row, columns)) };
}

/** Returns a row with its values by column. */
export function modelRow(csv: CsvRow, columns: readonly string[]): ModelRow {
  return {
    csv,
    // Of duplicate columns, the last cell counts, as in a Python dict.
    values: new Map(columns.map((column, index) => [column, csv.cells[index]?.value])),
    rest: csv.cells.slice(columns.length).map((cell) => cell.value),
  };
}

function withoutColumns(missing: readonly Column[], text: string): RefusedError {
  const names = missing.map(quote).join(", ");
  return new RefusedError(
    `Cannot read ${MODELS_CSV}: its first line lacks the column ${names}` +
      (text.startsWith("\ufeff") ? ", because a byte order mark hides the first column" : ""),
    {
      code: "CSV_COLUMN_MISSING",
      hint: `write ${COLUMNS.join(",")}; in canonical format the file is rewritten`,
    },
  );
}
