import type { CsvCell, CsvRow } from "./read_csv.ts";

/** The text of a CSV file whose rows were read, edited or made by {@link csvCell}. */
export function csvText(rows: readonly Pick<CsvRow, "cells" | "ending">[]): string {
  return rows.map((row) => row.cells.map((cell) => cell.raw).join(",") + row.ending).join("");
}

/**
 * A cell as Python's `csv.writer` writes it (`QUOTE_MINIMAL`): quoted only when it has to be.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { csvCell } from "./csv_text.ts";
 * assert.equal(csvCell("plain text").raw, "plain text");
 * assert.equal(csvCell('say "hi"').raw, '"say ""hi"""');
 * ```
 */
export function csvCell(value: string): CsvCell {
  return { value, raw: /[,"\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value };
}
