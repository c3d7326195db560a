import { RefusedError } from "../../core/errors.ts";

/** A cell: its text in the file, and its value. */
export interface CsvCell {
  readonly raw: string;
  readonly value: string;
}

/** A row of a CSV file. A blank line has no cells. */
export interface CsvRow {
  /** The number of its first line, from 1. */
  readonly line: number;
  readonly cells: readonly CsvCell[];
  /** `\n`, `\r\n`, `\r`, or empty at the end of a file. */
  readonly ending: string;
}

/** The longest cell in characters, as in Python's `csv` (`csv.field_size_limit()`). */
export const MAX_CELL_CHARACTERS = 131_072;

/** Up to the next comma or line end. */
const PLAIN = /[^,\r\n]*/y;

/** A quoted beginning with doubled quotes, then unquoted characters. */
const QUOTED = /"([^"]*(?:""[^"]*)*)"(?!")([^,\r\n]*)/y;

/** The end of a row. */
const LINE_END = /\r\n|\r|\n/g;

/**
 * Returns the rows of a CSV file as Python's `csv.reader` reads them by default: a quote counts only as the first
 * character of a cell, text after the closing quote belongs to the cell, and each of `\n`, `\r\n` and `\r` ends a row.
 * Nothing is lost: {@link csvText} of the rows is the original text.
 *
 * @param what the file's name in messages
 * @throws {RefusedError} a quote is never closed (Python would take the rest of the file for that cell), or a cell is
 * longer than Python allows
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { readCsv } from "./csv.ts";
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

/** Returns the cells of the row at an index. */
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
      `Cannot read ${where}: a cell has ${length} characters, but Python's csv reads at most ${MAX_CELL_CHARACTERS}`,
      { code: "CSV_UNREADABLE", hint: "find the quote that is closed too late" },
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

/** The length with commas. */
function textLength(cells: readonly CsvCell[]): number {
  return cells.reduce((length, cell) => length + cell.raw.length, cells.length - 1);
}

/** Only a quoted cell can contain line ends. */
function lineEnds({ raw }: CsvCell): number {
  return raw.startsWith('"') ? raw.match(LINE_END)?.length ?? 0 : 0;
}

/** Returns the text of a CSV file from rows that were read, edited, or created by {@link csvCell}. */
export function csvText(rows: readonly Pick<CsvRow, "cells" | "ending">[]): string {
  return rows.map((row) => row.cells.map((cell) => cell.raw).join(",") + row.ending).join("");
}

/**
 * Returns a cell as Python's `csv.writer` writes it (`QUOTE_MINIMAL`): quoted only if necessary.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { csvCell } from "./csv.ts";
 * assert.equal(csvCell("plain text").raw, "plain text");
 * assert.equal(csvCell('say "hi"').raw, '"say ""hi"""');
 * ```
 */
export function csvCell(value: string): CsvCell {
  return { value, raw: /[,"\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value };
}
