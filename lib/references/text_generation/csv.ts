import { RefusedError } from "../../core/errors.ts";

/** A row of a CSV file. A blank line has no cells. */
export interface CsvRow {
  /** The number of its first line, from 1. */
  readonly line: number;
  /** Its text in the file, without the ending. */
  readonly text: string;
  /** The values of its cells. */
  readonly cells: readonly string[];
  /** `\n`, `\r\n`, `\r`, or empty at the end of a file. */
  readonly ending: string;
}

/** The longest cell in characters, as in Python's `csv` (`csv.field_size_limit()`). */
export const MAX_CELL_CHARACTERS = 131_072;

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const QUOTE = 0x22;
const COMMA = 0x2c;

/** The result of a search without a match. */
const NONE = -1;

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
 * assert.deepEqual(row?.cells, ["a", 'b, "c"', "d"]);
 * assert.equal(row?.ending, "\r\n");
 * ```
 */
export function readCsv(text: string, what: string): CsvRow[] {
  const rows: CsvRow[] = [];
  let line = 1;
  for (let at = 0; at < text.length;) {
    const { cells, end, lineEnds } = readCells(text, at, `line ${line} of ${what}`);
    const ending = text.startsWith("\r\n", end) ? "\r\n" : text.slice(end, end + 1);
    rows.push({ line, text: text.slice(at, end), cells: end === at ? [] : cells, ending });
    at = end + ending.length;
    line += lineEnds + 1;
  }
  return rows;
}

/** Returns the cells of a row as they are in the file, with their quotes. */
export function rawCells({ text, cells }: CsvRow): string[] {
  const raw: string[] = [];
  for (let at = 0; raw.length < cells.length;) {
    const end = cellEnd(text, at);
    raw.push(text.slice(at, end));
    at = end + 1;
  }
  return raw;
}

/** Returns the cells of the row at an index, its end, and the number of line ends in its cells. */
function readCells(text: string, start: number, where: string) {
  const cells: string[] = [];
  let lineEnds = 0;
  let at = start;
  while (true) {
    const end = cellEnd(text, at);
    if (end === NONE) throw unclosed(where);
    const raw = text.slice(at, end);
    const isQuoted = text.charCodeAt(at) === QUOTE;
    const value = isQuoted ? quotedValue(raw) : raw;
    if (value.length > MAX_CELL_CHARACTERS) throw tooLong(where, value.length);
    cells.push(value);
    // Only a quoted cell can contain line ends.
    if (isQuoted) lineEnds += raw.match(LINE_END)?.length ?? 0;
    if (text.charCodeAt(end) !== COMMA) return { cells, end, lineEnds };
    at = end + 1;
  }
}

/** Returns the end of the cell at an index, or {@link NONE} if its quote is never closed. */
function cellEnd(text: string, start: number): number {
  let at = start;
  if (text.charCodeAt(at) === QUOTE) {
    const close = closingQuote(text, at + 1);
    if (close === NONE) return NONE;
    at = close + 1;
  }
  for (let code = text.charCodeAt(at); !isCellEnd(code); code = text.charCodeAt(at)) at++;
  return at;
}

/** At the end of the text, the code is NaN. */
function isCellEnd(code: number): boolean {
  return code === COMMA || code === LINE_FEED || code === CARRIAGE_RETURN || Number.isNaN(code);
}

/** Returns the next quote that is not doubled, or {@link NONE}. */
function closingQuote(text: string, start: number): number {
  let at = text.indexOf('"', start);
  while (at !== NONE && text.charCodeAt(at + 1) === QUOTE) at = text.indexOf('"', at + 2);
  return at;
}

/** Returns the value of a quoted cell. Characters after its closing quote belong to it. */
function quotedValue(raw: string): string {
  const close = closingQuote(raw, 1);
  return raw.slice(1, close).replaceAll('""', '"') + raw.slice(close + 1);
}

function unclosed(where: string): RefusedError {
  return new RefusedError(`Cannot read ${where}: a quoted cell does not end`, {
    code: "CSV_UNREADABLE",
    hint: "close the quote in the target repository",
  });
}

function tooLong(where: string, length: number): RefusedError {
  return new RefusedError(
    `Cannot read ${where}: a cell has ${length} characters, but Python's csv reads at most ${MAX_CELL_CHARACTERS}`,
    { code: "CSV_UNREADABLE", hint: "find the quote that is closed too late" },
  );
}

/** Returns the text of a CSV file from rows that were read, edited, or created from the texts of {@link csvCell}. */
export function csvText(rows: readonly Pick<CsvRow, "text" | "ending">[]): string {
  let text = "";
  for (const row of rows) text += row.text + row.ending;
  return text;
}

/**
 * Returns a cell as Python's `csv.writer` writes it (`QUOTE_MINIMAL`): quoted only if necessary.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { csvCell } from "./csv.ts";
 * assert.equal(csvCell("plain text"), "plain text");
 * assert.equal(csvCell('say "hi"'), '"say ""hi"""');
 * ```
 */
export function csvCell(value: string): string {
  return /[,"\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}
