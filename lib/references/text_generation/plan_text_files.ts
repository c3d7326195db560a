import { RefusedError } from "../../core/errors.ts";
import type { JsonObject } from "../json/json_value.ts";
import { csvToRecords } from "./csv_to_records.ts";
import {
  COLUMNS,
  isModelRow,
  type ModelRow,
  MODELS_CSV,
  type ModelsCsv,
  readModelsCsv,
} from "./models_csv.ts";
import { canonicalCsv, keptCsv, type PlannedRow } from "./planned_csv.ts";
import type { CsvRow } from "./read_csv.ts";
import { hasBackendPrefix, keysOf } from "./text_names.ts";
import type { Shrink } from "../plan.ts";
import { isEmptied } from "../emptied_record.ts";
import { keptCells } from "./kept_cells.ts";
import { type TextModel, textModel } from "./text_model.ts";
import { namesInWarning, skippedRecords, unheldFields } from "./text_warnings.ts";

/** What the files of `text_generation` are planned from. */
export interface TextFilesOptions {
  /** PRIMARY's records by name. Those of a backend (`koboldcpp/…`) are made anew from the canonical ones. */
  readonly primary: JsonObject;
  /** `models.csv` as it is, decoded without removing a byte order mark; without it a new one is made. */
  readonly csvText: string | undefined;
  /** Models that stay as the file has them, present or absent; by name or by the key of a backend. */
  readonly keep: ReadonlySet<string>;
  /** `keep`: only what changed is written. `canonical`: the whole file is, as the original writes it. */
  readonly format: "keep" | "canonical";
}

/** The files as they have to be. */
export interface TextFilesPlan {
  readonly csvText: string;
  /** What `db.json` has to hold, in its order: that of the rows. */
  readonly records: JsonObject;
  /** How many of the models that `models.csv` has go or are emptied. */
  readonly shrink: Shrink;
  /** Models whose records at PRIMARY no row can hold: the files keep what they have of them. */
  readonly skipped: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * Plans `models.csv` and the records of `db.json`, so that they say what PRIMARY says.
 *
 * Rows keep their order, their line endings, and the cells that mean what PRIMARY says; rows of models that PRIMARY
 * does not have go; new ones come last, in PRIMARY's order. Of rows with the same name the last counts, so that one is
 * edited; in canonical format it is the only one that stays, in the place of the first. An empty `instruct_format` at
 * PRIMARY keeps the file's. A record that no row can hold is skipped with a warning, and the file keeps its row.
 *
 * @throws {RefusedError} no row can hold any of PRIMARY's records, a row is invalid, named with its model and field; or
 * the file cannot be read, or lacks a column
 */
export function planTextFiles(options: TextFilesOptions): TextFilesPlan {
  const warnings: string[] = [];
  const { models, skipped } = textModels(options, warnings);
  const keep = options.keep.union(new Set(skipped));
  const { text, shrink } = newCsv({ ...options, keep }, models, warnings);
  const { records, warnings: unread } = csvToRecords(text);
  warnings.push(...unread, ...unheldFields(options.primary, [...models.keys()], records));
  return { csvText: text, records, shrink, skipped, warnings };
}

/** PRIMARY's models by name, without those that the file keeps as they are; and the names of those that no row can hold. */
function textModels(
  { primary, keep }: TextFilesOptions,
  warnings: string[],
): { readonly models: ReadonlyMap<string, TextModel>; readonly skipped: readonly string[] } {
  const names = [...primary.keys()].filter((key) => !hasBackendPrefix(key));
  const urls = names.filter((name) => name.includes("://"));
  const known = new Set(names.flatMap(keysOf));
  const orphans = [...primary.keys()].filter((key) => hasBackendPrefix(key) && !known.has(key));
  if (urls.length > 0) {
    warnings.push(`PRIMARY names models by URL, and they are skipped: ${namesInWarning(urls)}`);
  }
  if (orphans.length > 0) {
    warnings.push(
      `PRIMARY has records of a backend without the model itself, and they are skipped: ${
        namesInWarning(orphans)
      }`,
    );
  }
  const models = new Map<string, TextModel>();
  const refusals = new Map<string, RefusedError>();
  const candidates = names.filter((name) => !name.includes("://"));
  for (const name of candidates.filter((name) => !isKept(name, keep))) {
    try {
      models.set(name, textModel(name, primary.get(name) ?? null));
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      refusals.set(name, error);
    }
  }
  const [first] = refusals.values();
  // All of them: that is no record gone wrong, but an answer of another kind.
  if (first !== undefined && refusals.size === candidates.length) throw first;
  warnings.push(...skippedRecords([...refusals.values()]));
  return { models, skipped: [...refusals.keys()] };
}

function isKept(name: string, keep: ReadonlySet<string>): boolean {
  return keysOf(name).some((key) => keep.has(key));
}

function newCsv(
  options: TextFilesOptions,
  models: ReadonlyMap<string, TextModel>,
  warnings: string[],
): { readonly text: string; readonly shrink: Shrink } {
  const isNew = options.csvText === undefined || options.csvText.trim() === "";
  const canonical = isNew || options.format === "canonical";
  const text = isNew ? `${COLUMNS.join(",")}\n` : options.csvText;
  const table = readModelsCsv(text, canonical ? ["name"] : COLUMNS);
  const rows = plannedRows(table, models, options.keep, warnings);
  const before = namesIn(table.lines);
  const after = namesIn(rows.flatMap(({ line }) => line ?? []));
  return {
    text: canonical ? canonicalCsv(table, rows) : keptCsv(table, rows),
    shrink: {
      removed: before.difference(after).size,
      emptied: rows.filter(isEmptiedRow).length,
      before: before.size,
    },
  };
}

/** Whether a row keeps its model's name, and loses most of what else it says. */
function isEmptiedRow({ line, model }: PlannedRow): boolean {
  if (line === undefined || model === undefined || !isModelRow(line)) return false;
  const held = new Map(COLUMNS.map((column) => [column, line.values.get(column) ?? ""]));
  return isEmptied(held.get("name") ?? "", held, keptCells(model, line));
}

/** The models that lines of the file are of. */
function namesIn(lines: ModelsCsv["lines"]): Set<string> {
  return new Set(
    lines.filter(isModelRow).map(({ values }) => values.get("name") ?? "").filter((name) => name !== ""),
  );
}

/** Whose rows the file will have, in order. */
function plannedRows(
  { lines }: ModelsCsv,
  models: ReadonlyMap<string, TextModel>,
  keep: ReadonlySet<string>,
  warnings: string[],
): PlannedRow[] {
  const deciding = new Map(lines.filter(isModelRow).map((row) => [row.values.get("name") ?? "", row]));
  const planned: PlannedRow[] = [];
  for (const line of lines) {
    const name = isModelRow(line) ? line.values.get("name") ?? "" : undefined;
    const model = name === undefined ? undefined : models.get(name);
    if (name === "") {
      warnings.push(`line ${lineOf(line)} of ${MODELS_CSV} names no model, and is removed`);
      continue;
    }
    if (name !== undefined && model === undefined && !isKept(name, keep)) continue;
    planned.push({ line, model: deciding.get(name ?? "") === line ? model : undefined });
  }
  for (const [name, model] of models) {
    if (!deciding.has(name)) planned.push({ line: undefined, model });
  }
  return planned;
}

function lineOf(line: ModelRow | CsvRow): number {
  return isModelRow(line) ? line.csv.line : line.line;
}
