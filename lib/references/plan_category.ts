import type { Category } from "../config/sections/references.ts";
import { placeOf } from "./categories.ts";
import { compareRecords, type ModelChange } from "./compare_records.ts";
import { isEmptied, largerShrink } from "./shrink.ts";
import { editNodes } from "./json/edit_json.ts";
import type { JsonObject, JsonValue } from "./json/json_value.ts";
import { renderJson } from "./json/render_json.ts";
import type { CategoryPlan, FileFormat, FileTexts, Shrink } from "./plan.ts";
import { readFileRecords } from "./read_records.ts";
import { planTextFiles } from "./text_generation/plan_text_files.ts";

export interface PlanOptions {
  readonly format: FileFormat;
  /** Models that stay unchanged in the files, whatever PRIMARY says. */
  readonly keep: ReadonlySet<string>;
}

/**
 * Plans the changes that bring a category's files in line with PRIMARY. Models that PRIMARY no longer has are removed.
 *
 * @param files the current texts of the category's files
 * @param where the repository, for errors: `you/image-models`
 */
export function planCategory(
  category: Category,
  primary: JsonObject,
  files: FileTexts,
  where: string,
  options: PlanOptions,
): CategoryPlan {
  const [path = "", csvPath] = placeOf(category).paths;
  const text = files.get(path) ?? "{}\n";
  const { records: current, root } = readFileRecords(path, text, where);
  const written = new Map<string, string>();
  let wanted: JsonObject;
  let warnings: readonly string[] = [];
  let skipped: readonly string[] = [];
  let rows: Shrink = { removed: 0, emptied: 0, before: 0 };
  if (csvPath === undefined) wanted = withKept(primary, current, options.keep);
  else {
    const plan = planTextFiles({ primary, current, csvText: files.get(csvPath), ...options });
    wanted = plan.records;
    ({ warnings, skipped } = plan);
    rows = plan.shrink;
    if (plan.csvText !== files.get(csvPath)) written.set(csvPath, plan.csvText);
  }
  const changes = compareRecords(current, wanted);
  // For a model in both files, reviewers think of the row in `models.csv` as the model.
  const shrink = largerShrink(rows, shrinkOf(changes, current.size));
  const plan = {
    category,
    changes,
    shrink,
    skipped: changesOf(skipped, current, primary),
    counts: { primary: primary.size, files: current.size },
    warnings,
  };
  if (changes.length === 0) return { ...plan, files: new Map() };
  const json = options.format === "canonical" ? renderJson(wanted) : editNodes(text, root, wanted);
  return { ...plan, files: new Map([[path, json], ...written]) };
}

/** Returns the changes of the models with these names. */
function changesOf(names: readonly string[], current: JsonObject, primary: JsonObject): ModelChange[] {
  const only = (records: JsonObject) => new Map([...records].filter(([name]) => names.includes(name)));
  return names.length === 0 ? [] : compareRecords(only(current), only(primary));
}

function shrinkOf(changes: readonly ModelChange[], before: number): Shrink {
  return {
    removed: changes.filter(({ kind }) => kind === "removed").length,
    emptied:
      changes.filter((change) =>
        change.kind === "modified" && isEmptied(change.name, change.before, change.after)
      ).length,
    before,
  };
}

/** Returns PRIMARY's records, with those of kept models from the files. */
function withKept(primary: JsonObject, current: JsonObject, keep: ReadonlySet<string>): JsonObject {
  if (keep.size === 0) return primary;
  const wanted = new Map<string, JsonValue>();
  for (const [name, record] of primary) {
    if (!keep.has(name)) wanted.set(name, record);
    else copy(name, current, wanted);
  }
  for (const name of keep) copy(name, current, wanted);
  return wanted;
}

function copy(name: string, from: JsonObject, to: Map<string, JsonValue>): void {
  const record = from.get(name);
  if (record !== undefined) to.set(name, record);
}
