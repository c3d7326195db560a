import { RefusedError } from "../../core/errors.ts";
import { type JsonObject, LazyObject } from "../json/json_value.ts";
import { NEEDED_COLUMNS, type SettledRow, tableToRecords } from "./csv_to_records.ts";
import {
  COLUMNS,
  isModelRow,
  type ModelRow,
  MODELS_CSV,
  type ModelsCsv,
  readModelsCsv,
} from "./models_csv.ts";
import { canonicalCsv, keptCells, keptLines, linesText, type PlannedRow } from "./planned_csv.ts";
import { recordNamed, RecordText } from "./record_text.ts";
import type { CsvRow } from "./csv.ts";
import { hasBackendPrefix, keysOf, keysWithoutModel } from "./cells.ts";
import type { Shrink } from "../plan.ts";
import { isEmptied } from "../shrink.ts";
import { type TextModel, textModel } from "./text_model.ts";
import { namesInWarning, skippedRecords, unheldFields } from "./text_warnings.ts";

/** The input for planning the files of `text_generation`. */
export interface TextFilesOptions {
  /** PRIMARY's records by name. Those of backends (`koboldcpp/…`) are generated again from the canonical ones. */
  readonly primary: JsonObject;
  /** The current records of `db.json`. */
  readonly current: JsonObject;
  /** The current `models.csv`, decoded with its byte order mark; without it a new one is created. */
  readonly csvText: string | undefined;
  /** Models that stay as they are in the file, present or absent; by name or by a backend's key. */
  readonly keep: ReadonlySet<string>;
  /** `keep` writes only changes. `canonical` rewrites the whole file as the original tool does. */
  readonly format: "keep" | "canonical";
}

/** The wanted files. */
export interface TextFilesPlan {
  readonly csvText: string;
  /** The content of `db.json`, in the order of the rows. */
  readonly records: JsonObject;
  /** Models of `models.csv` that are removed or emptied. */
  readonly shrink: Shrink;
  /** Models whose records at PRIMARY do not fit into a row. The files keep theirs. */
  readonly skipped: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * Plans `models.csv` and the records of `db.json` to match PRIMARY.
 *
 * Rows keep their order, their line endings, and cells that mean the same. Rows of models that PRIMARY does not have
 * are removed. New rows come last, in PRIMARY's order. Of rows with the same name, the last one counts and is edited;
 * canonical format keeps only that one, at the position of the first. An empty `instruct_format` at PRIMARY keeps the
 * file's. A record that does not fit into a row is skipped with a warning, and the file keeps its row.
 *
 * @throws {RefusedError} none of PRIMARY's records fits into a row; or the file cannot be read, lacks a column, or has
 * an invalid row
 */
export function planTextFiles(options: TextFilesOptions): TextFilesPlan {
  const warnings: string[] = [];
  const file = readFile(options);
  const settled = file.canonical ? new Map<string, SettledRow>() : settledRows(file, options);
  const { models, skipped } = textModels(options, settled, warnings);
  const keep = options.keep.union(new Set(skipped));
  const { text, table, shrink } = newCsv(file, { models, settled, keep }, warnings);
  const { records, warnings: unread } = tableToRecords(table, settled, options.current);
  warnings.push(...unread, ...unheldFields(options.primary, [...models.keys()], records));
  return { csvText: text, records, shrink, skipped, warnings };
}

/** The current `models.csv`, or an empty one. */
interface CurrentFile {
  readonly table: ModelsCsv;
  /** The rows by name. Of rows with the same name, the last one counts. */
  readonly deciding: ReadonlyMap<string, ModelRow>;
  /** Whether the whole file is rewritten. */
  readonly canonical: boolean;
}

function readFile({ csvText = "", format }: TextFilesOptions): CurrentFile {
  // A byte order mark hides the first column from the original tool.
  const unmarked = csvText.replace(/^\ufeff/, "");
  const isNew = unmarked.trim() === "";
  const canonical = isNew || format === "canonical";
  const text = isNew ? `${COLUMNS.join(",")}\n` : canonical ? unmarked : csvText;
  const table = readModelsCsv(text, canonical ? ["name"] : COLUMNS);
  return { canonical, table, deciding: decidingRows(table.lines) };
}

/**
 * The beginnings of fields in a record's text that {@link textModel} may refuse: no positive or exact number of
 * parameters, settings, NUL and halves of surrogate pairs.
 */
const MAY_BE_REFUSED = /"parameters": (?:null|-|\d{16})|"settings": |\\u(?:0000|d[89a-f])/;

/**
 * Returns the rows whose records have the same text at PRIMARY, by name. They stay, and nothing else of them is
 * compared.
 */
function settledRows(
  { table, deciding }: CurrentFile,
  { primary, current }: TextFilesOptions,
): Map<string, SettledRow> {
  const texts = new RecordText(table.columns);
  const settled = new Map<string, SettledRow>();
  for (const [name, row] of deciding) {
    const record = primary.get(name);
    if (!(record instanceof LazyObject) || /:\/\/|[\r\n]/.test(name) || hasBackendPrefix(name)) continue;
    try {
      const tail = texts.afterName(row, name);
      if (MAY_BE_REFUSED.test(tail.text)) continue;
      if (record.hasSameText(recordNamed(name, tail, current.get(name)))) settled.set(name, { row, tail });
    } catch (error) {
      // A row that gives no record is replaced by PRIMARY's.
      if (!(error instanceof RefusedError)) throw error;
    }
  }
  return settled;
}

function decidingRows(lines: ModelsCsv["lines"]): Map<string, ModelRow> {
  const rows = new Map<string, ModelRow>();
  for (const line of lines) {
    if (isModelRow(line)) rows.set(line.get("name") ?? "", line);
  }
  return rows;
}

/** Returns PRIMARY's models by name, without kept and settled ones, and the names of those that do not fit into a row. */
function textModels(
  { primary, keep }: TextFilesOptions,
  settled: ReadonlyMap<string, SettledRow>,
  warnings: string[],
): { readonly models: ReadonlyMap<string, TextModel>; readonly skipped: readonly string[] } {
  const names = [...primary.keys()].filter((key) => !hasBackendPrefix(key));
  const urls = names.filter((name) => name.includes("://"));
  const orphans = keysWithoutModel(primary.keys(), names);
  if (urls.length > 0) {
    warnings.push(`skipped PRIMARY's models that are named by a URL: ${namesInWarning(urls)}`);
  }
  if (orphans.length > 0) {
    warnings.push(
      `skipped PRIMARY's records of a backend without a record of the model: ${namesInWarning(orphans)}`,
    );
  }
  const models = new Map<string, TextModel>();
  const refusals = new Map<string, RefusedError>();
  const candidates = names.filter((name) => !name.includes("://"));
  for (const name of candidates.filter((name) => !settled.has(name) && !isKept(name, keep))) {
    try {
      models.set(name, textModel(name, primary.get(name) ?? null));
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      refusals.set(name, error);
    }
  }
  const [first] = refusals.values();
  // If none fits, the answer is not of models.
  if (first !== undefined && refusals.size === candidates.length) throw first;
  warnings.push(...skippedRecords([...refusals.values()]));
  return { models, skipped: [...refusals.keys()] };
}

function isKept(name: string, keep: ReadonlySet<string>): boolean {
  return keep.size > 0 && keysOf(name).some((key) => keep.has(key));
}

/** What decides about the rows of the new file. */
interface Decisions {
  readonly models: ReadonlyMap<string, TextModel>;
  readonly settled: ReadonlyMap<string, SettledRow>;
  readonly keep: ReadonlySet<string>;
}

function newCsv(file: CurrentFile, decisions: Decisions, warnings: string[]) {
  const { table, canonical } = file;
  const rows = plannedRows(file, decisions, warnings);
  const before = [...file.deciding.keys()].filter((name) => name !== "");
  const after = namesIn(rows);
  const shrink: Shrink = {
    removed: before.filter((name) => !after.has(name)).length,
    emptied: rows.filter(isEmptiedRow).length,
    before: before.length,
  };
  if (canonical) {
    const text = canonicalCsv(table, rows);
    return { text, table: readModelsCsv(text, NEEDED_COLUMNS), shrink };
  }
  const lines = keptLines(table, rows);
  return { text: linesText(table, lines), table: { ...table, lines }, shrink };
}

/** Whether a row keeps its model's name but loses most other values. */
function isEmptiedRow(row: PlannedRow): boolean {
  if (!("cells" in row)) return false;
  const { line, cells } = row;
  // Most rows keep all their cells.
  if (COLUMNS.every((column) => (line.get(column) ?? "") === (cells.get(column) ?? ""))) return false;
  const held = new Map(COLUMNS.map((column) => [column, line.get(column) ?? ""]));
  return isEmptied(held.get("name") ?? "", held, cells);
}

/** Returns the names of the file's models that stay. */
function namesIn(rows: readonly PlannedRow[]): Set<string> {
  const names = new Set<string>();
  for (const { line } of rows) {
    if (line !== undefined && isModelRow(line)) names.add(line.get("name") ?? "");
  }
  return names;
}

/** Returns the rows of the new file, in order. */
function plannedRows(
  { table, deciding }: CurrentFile,
  { models, settled, keep }: Decisions,
  warnings: string[],
): PlannedRow[] {
  const planned: PlannedRow[] = [];
  for (const line of table.lines) {
    const name = isModelRow(line) ? line.get("name") ?? "" : undefined;
    const model = name === undefined ? undefined : models.get(name);
    if (name === "") {
      warnings.push(`line ${lineOf(line)} of ${MODELS_CSV} has no model name and is removed`);
      continue;
    }
    const isRemoved = name !== undefined && model === undefined && !settled.has(name) && !isKept(name, keep);
    if (isRemoved) continue;
    const isDeciding = model !== undefined && isModelRow(line) && deciding.get(name ?? "") === line;
    planned.push(isDeciding ? { line, model, cells: keptCells(model, line) } : { line, model: undefined });
  }
  for (const [name, model] of models) {
    if (!deciding.has(name)) planned.push({ line: undefined, model });
  }
  return planned;
}

function lineOf(line: ModelRow | CsvRow): number {
  return isModelRow(line) ? line.csv.line : line.line;
}
