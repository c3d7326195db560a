import { RefusedError } from "../../core/errors.ts";

/** A cell: as it stands in the file, and what it says. */
export interface CsvCell {
  readonly raw: string;
  readonly value: string;
}

/** A row of a CSV file; of a blank line there are no cells. */
export interface CsvRow {
  /** Number of the line where it begins, the first being 1. */
  readonly line: number;
  readonly cells: readonly CsvCell[];
  /** `\n`, `\r\n`, `\r`, or nothing at the end of a file. */
  readonly ending: string;
}

/** Longest cell in characters: Python's `csv` reads no longer one (`csv.field_size_limit()`). */
export const MAX_CELL_CHARACTERS = 131_072;

/** Up to the next comma or line end. */
const PLAIN = /[^,\r\n]*/y;

/** A quoted beginning with doubled quotes in it, then what a cell without quotes may hold. */
const QUOTED = /"([^"]*(?:""[^"]*)*)"(?!")([^,\r\n]*)/y;

/** Where a row ends. */
const LINE_END = /\r\n|\r|\n/g;

/**
 * Reads CSV as Python's `csv.reader` does by default: a quote counts only as the first character of a cell, what
 * follows the closing quote belongs to the cell, and each of `\n`, `\r\n` and `\r` ends a row. Nothing is lost:
 * {@link csvText} of the rows is the text again.
 *
 * @param what the file, for messages
 * @throws {RefusedError} a quote is never closed (Python would take the rest of the file for that cell), or a cell is
 * longer than Python reads
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { readCsv } from "./read_csv.ts";
 * const [row] = readCsv('a,"b, ""c""",d\r\n', "models.csv");
 * assert.deepEqual(row?.cells.map((cell) => cell.value), ["a", 'b, "c"', "d"]);
 * assert.equal(row?.ending, "\r\n");
 * ```
 */
export function readCsv(text: string, what: string): CsvRow[] {
  const rows: CsvRow[] = [];
  let line = 1;
  for (let at = 0; at < text.length;) {
    const cells = readCells(text, at, `line ${line} of ${what}`);
    const end = at + textLength(cells);
    const ending = text.startsWith("\r\n", end) ? "\r\n" : text.slice(end, end + 1);
    const blank = cells.length === 1 && cells[0]?.raw === "";
    rows.push({ line, cells: blank ? [] : cells, ending });
    at = end + ending.length;
    line += cells.reduce((lines, cell) => lines + lineEnds(cell), 1);
  }
  return rows;
}

/** The cells of the row that begins at an index. */
function readCells(text: string, start: number, where: string): CsvCell[] {
  const cells: CsvCell[] = [];
  let at = start;
  do {
    const cell = readCell(text, at, where);
    cells.push(cell);
    at += cell.raw.length + 1;
  } while (text[at - 1] === ",");
  return cells;
}

function readCell(text: string, at: number, where: string): CsvCell {
  const cell = text[at] === '"' ? readQuotedCell(text, at, where) : readPlainCell(text, at);
  const { length } = cell.value;
  if (length > MAX_CELL_CHARACTERS) {
    throw new RefusedError(
      `Cannot read ${where}: a cell has ${length} characters, and Python's csv reads ${MAX_CELL_CHARACTERS}`,
      { code: "CSV_UNREADABLE", hint: "look for a quote that is closed too late" },
    );
  }
  return cell;
}

function readPlainCell(text: string, at: number): CsvCell {
  PLAIN.lastIndex = at;
  PLAIN.test(text);
  const raw = text.slice(at, PLAIN.lastIndex);
  return { raw, value: raw };
}

function readQuotedCell(text: string, at: number, where: string): CsvCell {
  QUOTED.lastIndex = at;
  const match = QUOTED.exec(text);
  if (match === null) {
    throw new RefusedError(`Cannot read ${where}: a quoted cell does not end`, {
      code: "CSV_UNREADABLE",
      hint: "close the quote in the target repository",
    });
  }
  const [raw, quoted = "", rest = ""] = match;
  return { raw, value: quoted.replaceAll('""', '"') + rest };
}

/** With the commas between them. */
function textLength(cells: readonly CsvCell[]): number {
  return cells.reduce((length, cell) => length + cell.raw.length, cells.length - 1);
}

/** Only a quoted cell goes over a line's end. */
function lineEnds({ raw }: CsvCell): number {
  return raw.startsWith('"') ? raw.match(LINE_END)?.length ?? 0 : 0;
}
