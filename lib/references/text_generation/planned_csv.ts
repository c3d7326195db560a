import { csvCell, csvText } from "./csv_text.ts";
import { keptCells, keptInstructFormat } from "./kept_cells.ts";
import { COLUMNS, isModelRow, type ModelRow, type ModelsCsv } from "./models_csv.ts";
import type { CsvRow } from "./read_csv.ts";
import type { TextModel } from "./text_model.ts";

/** A row or a blank line of the file, with the model that decides what the row says; or a new model. */
export type PlannedRow =
  | { readonly line: ModelRow | CsvRow; readonly model: TextModel | undefined }
  | { readonly line: undefined; readonly model: TextModel };

/** The file in its own style: columns, line endings, and the text of all cells that do not change. */
export function keptCsv({ header, columns, lines }: ModelsCsv, planned: readonly PlannedRow[]): string {
  const before = [header, ...lines.map((line) => isModelRow(line) ? line.csv : line)];
  const usual = before.findLast((row) => row.ending !== "")?.ending ?? "\n";
  const rows = planned.map(({ line, model }) => {
    if (line === undefined) return { cells: editedCells(columns, model.cells, line), ending: usual };
    if (!isModelRow(line)) return line;
    if (model === undefined) return line.csv;
    return { cells: editedCells(columns, keptCells(model, line), line), ending: line.csv.ending };
  });
  const all = [header, ...rows];
  // A last line without an end gets one when another follows.
  return csvText(
    all.map((row, at) => row.ending === "" && at < all.length - 1 ? { ...row, ending: usual } : row),
  );
}

/** The cells of a row with new values where they differ. A row that is too short grows as far as it has to. */
function editedCells(
  columns: readonly string[],
  wanted: ReadonlyMap<string, string>,
  row: ModelRow | undefined,
): CsvRow["cells"] {
  const held = row?.csv.cells ?? [];
  const cells = columns.map((column, at) => {
    const value = columns.lastIndexOf(column) === at ? wanted.get(column) : undefined;
    const cell = held[at];
    return cell !== undefined && (value === undefined || value === cell.value) ? cell : csvCell(value ?? "");
  });
  const needed = row === undefined ? cells.length : cells.findLastIndex((cell) => cell.value !== "") + 1;
  return [...cells.slice(0, Math.max(needed, held.length)), ...held.slice(columns.length)];
}

/**
 * The whole file as the original writes it: one row for each model. Columns of which it does not know come after its
 * own.
 */
export function canonicalCsv({ columns: before }: ModelsCsv, planned: readonly PlannedRow[]): string {
  const known: readonly string[] = COLUMNS;
  const columns = [...known, ...new Set(before.filter((column) => !known.includes(column)))];
  const rows = decidingRows(planned).flatMap(({ line, model }) => {
    if (line !== undefined && !isModelRow(line)) return [];
    const wanted: Map<string, string> = new Map(model?.cells);
    if (model !== undefined) wanted.set("instruct_format", keptInstructFormat(model, line));
    const values = columns.map((column) => wanted.get(column) ?? line?.values.get(column) ?? "");
    return [[...values, ...line?.rest ?? []]];
  });
  return csvText([columns, ...rows].map((values) => ({ cells: values.map(csvCell), ending: "\n" })));
}

/** Of rows with the same name the last, in the place of the first: what `db.json` is made of. */
function decidingRows(planned: readonly PlannedRow[]): PlannedRow[] {
  const rows = new Map<string, PlannedRow>();
  for (const row of planned) {
    const { line, model } = row;
    const name = line !== undefined && isModelRow(line) ? line.values.get("name") : model?.cells.get("name");
    if (name !== undefined) rows.set(name, row);
  }
  return [...rows.values()];
}
