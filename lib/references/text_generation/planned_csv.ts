import { csvCell, type CsvRow, csvText, rawCells } from "./csv.ts";
import { type Column, COLUMNS, type Columns, isModelRow, ModelRow, type ModelsCsv } from "./models_csv.ts";
import type { TextModel } from "./text_model.ts";
import { RefusedError } from "../../core/errors.ts";
import { jsonEquals } from "../json/json_equals.ts";
import type { JsonObject } from "../json/json_value.ts";
import {
  automaticDisplayName,
  DEFAULT_STYLE,
  type ModelSize,
  modelSize,
  settingsOf,
  sortedTags,
  tagsCell,
  tagsOf,
} from "./cells.ts";

/** A row or a blank line of the file, or a new model. */
export type PlannedRow =
  /** A blank line, or a row that no model determines. */
  | { readonly line: ModelRow | CsvRow; readonly model: undefined }
  /** A row, the model that determines its values, and the cells with them: see {@link keptCells}. */
  | { readonly line: ModelRow; readonly model: TextModel; readonly cells: ReadonlyMap<Column, string> }
  | { readonly line: undefined; readonly model: TextModel };

/**
 * Returns the lines of the file after the header, in its own style: columns, line endings, and the text of unchanged
 * cells. Unchanged lines are the same objects.
 */
export function keptLines(
  { header, columns, lines }: ModelsCsv,
  planned: readonly PlannedRow[],
): ModelsCsv["lines"] {
  const before = [header, ...lines.map((line) => isModelRow(line) ? line.csv : line)];
  const usual = before.findLast((row) => row.ending !== "")?.ending ?? "\n";
  const after = lines.length + 2;
  return planned.map((row, at) => {
    const line = plannedLine(columns, row, usual, after);
    const csv = isModelRow(line) ? line.csv : line;
    if (csv.ending !== "" || at === planned.length - 1) return line;
    // If another row follows the last line, that line gets a line ending.
    const ended = { ...csv, ending: usual };
    return isModelRow(line) ? new ModelRow(ended, columns) : ended;
  });
}

/** @param after the number of the line after the last one, for new rows */
function plannedLine(
  columns: Columns,
  row: PlannedRow,
  usual: string,
  after: number,
): ModelRow | CsvRow {
  if (row.line === undefined) {
    const edited = editedCells(columns, row.model.cells, undefined);
    return new ModelRow({ line: after, ...edited, ending: usual }, columns);
  }
  if (!("cells" in row)) return row.line;
  const { csv } = row.line;
  return new ModelRow({ ...csv, ...editedCells(columns, row.cells, csv) }, columns);
}

/** Returns the text of a file with new lines after its header. */
export function linesText({ header }: ModelsCsv, lines: ModelsCsv["lines"]): string {
  const isLast = header.ending !== "" || lines.length === 0;
  return csvText([
    isLast ? header : { ...header, ending: "\n" },
    ...lines.map((line) => isModelRow(line) ? line.csv : line),
  ]);
}

/**
 * Returns the cells of a row with new values where they differ, and their text. A row that is too short gets the cells
 * that it needs.
 */
function editedCells(
  columns: Columns,
  wanted: ReadonlyMap<string, string>,
  row: CsvRow | undefined,
): Pick<CsvRow, "text" | "cells"> {
  const held = row?.cells ?? [];
  const texts = row === undefined ? [] : rawCells(row);
  const all = columns.names.map((column, at) => {
    const value = columns.indexOf(column) === at ? wanted.get(column) : undefined;
    return value ?? held[at] ?? "";
  });
  const needed = row === undefined ? all.length : all.findLastIndex((cell) => cell !== "") + 1;
  const cells = [...all.slice(0, Math.max(needed, held.length)), ...held.slice(columns.names.length)];
  const text = cells.map((cell, at) => (cell === held[at] ? texts[at] : undefined) ?? csvCell(cell)).join(
    ",",
  );
  return { cells, text };
}

/**
 * Returns the whole file as the original tool writes it: one row for each model. Columns that the original does not
 * know come after its own.
 */
export function canonicalCsv({ columns: before }: ModelsCsv, planned: readonly PlannedRow[]): string {
  const known: readonly string[] = COLUMNS;
  const columns = [...known, ...new Set(before.names.filter((column) => !known.includes(column)))];
  const rows = decidingRows(planned).flatMap(({ line, model }) => {
    if (line !== undefined && !isModelRow(line)) return [];
    const wanted: Map<string, string> = new Map(model?.cells);
    if (model !== undefined) wanted.set("instruct_format", keptInstructFormat(model, line));
    const values = columns.map((column) => wanted.get(column) ?? line?.get(column) ?? "");
    return [[...values, ...line?.rest ?? []]];
  });
  return csvText([columns, ...rows].map((values) => ({ text: values.map(csvCell).join(","), ending: "\n" })));
}

/** Returns the last row of each name, at the position of the first: the content of `db.json`. */
function decidingRows(planned: readonly PlannedRow[]): PlannedRow[] {
  const rows = new Map<string, PlannedRow>();
  for (const row of planned) {
    const { line, model } = row;
    const name = line !== undefined && isModelRow(line) ? line.get("name") : model?.cells.get("name");
    if (name !== undefined) rows.set(name, row);
  }
  return [...rows.values()];
}

/**
 * Returns the cells of a model's row, and keeps those that mean what PRIMARY says: ` 12` for `12`, tags in another
 * order, settings in another spelling.
 */
export function keptCells(model: TextModel, row: ModelRow): Map<Column, string> {
  const cells = new Map(model.cells);
  const held = (column: Column) => row.get(column) ?? "";
  const wanted = (column: Column) => model.cells.get(column) ?? "";

  const size = keptSize(model, held("parameters_bn"));
  if (size !== undefined) cells.set("parameters_bn", held("parameters_bn"));
  const sizeTag = size?.tag ?? model.sizeTag;

  const style = [held("style"), wanted("style")].find((style) =>
    (style || DEFAULT_STYLE) === (wanted("style") || DEFAULT_STYLE) &&
    sameTags(model, held("tags"), style, sizeTag)
  );
  cells.set("style", style ?? wanted("style"));
  cells.set("tags", style === undefined ? tagsCell(model.tags, wanted("style"), sizeTag) : held("tags"));

  const automatic = automaticDisplayName(wanted("name"));
  if ((held("display_name") || automatic) === (wanted("display_name") || automatic)) {
    cells.set("display_name", held("display_name"));
  }
  const settings = readSettings(held("settings"));
  if (settings !== undefined && jsonEquals(settings, model.settings)) cells.set("settings", held("settings"));
  cells.set("instruct_format", keptInstructFormat(model, row));
  return cells;
}

/** Returns PRIMARY's format, or the file's if PRIMARY has none. */
function keptInstructFormat(model: TextModel, row: ModelRow | undefined): string {
  return model.cells.get("instruct_format") || (row?.get("instruct_format") ?? "");
}

/** Returns the size of a cell if it is PRIMARY's. */
function keptSize(model: TextModel, cell: string): ModelSize | undefined {
  const size = modelSize(cell);
  if (size?.parameters !== model.parameters) return undefined;
  // "0.5000000001" and "0.5" are the same number of parameters, but round to different tags.
  return size.tag === model.sizeTag || model.tags.includes(size.tag) ? size : undefined;
}

/** Whether a cell of tags, in a row with this style and size, gives the same tags as PRIMARY's record. */
function sameTags(model: TextModel, cell: string, style: string, sizeTag: string): boolean {
  const wantedStyle = model.cells.get("style") ?? "";
  const wanted = sortedTags([...model.tags, ...wantedStyle === "" ? [] : [wantedStyle], sizeTag]);
  const got = tagsOf(cell, style, sizeTag);
  return got.length === wanted.length && got.every((tag, index) => tag === wanted[index]);
}

/** Returns the settings of a cell; `undefined` if they are invalid, so that the cell is replaced. */
function readSettings(cell: string): JsonObject | undefined {
  try {
    return settingsOf(cell, "the settings");
  } catch (error) {
    if (error instanceof RefusedError) return undefined;
    throw error;
  }
}
