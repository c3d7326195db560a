import { RefusedError } from "../core/errors.ts";
import { type Category, placeOf } from "./categories.ts";
import { compareRecords, type ModelChange } from "./compare_records.ts";
import { editJson } from "./json/edit_json.ts";
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from "./json/json_value.ts";
import { parseJson } from "./json/parse_json.ts";
import { renderJson } from "./json/render_json.ts";
import { planTextFiles } from "./text_generation/plan_text_files.ts";

/** Reference files by their paths; a file that is not there is not in it. */
export type FileTexts = ReadonlyMap<string, string>;

/** `keep`: only what changed is written, in the file's own style. `canonical`: whole files, as Python writes JSON. */
export type FileFormat = "keep" | "canonical";

export interface PlanOptions {
  readonly format: FileFormat;
  /** Models that are left as the files have them, whatever PRIMARY says. */
  readonly keep: ReadonlySet<string>;
}

/** What has to be done for a category to be what PRIMARY says. */
export interface CategoryPlan {
  readonly category: Category;
  readonly changes: readonly ModelChange[];
  /** The files that are to be written; none without changes. */
  readonly files: FileTexts;
  readonly warnings: readonly string[];
}

/** The files that plans write. */
export function filesOf(plans: readonly CategoryPlan[]): FileTexts {
  return new Map(plans.flatMap(({ files }) => [...files]));
}

/** The records that the first file of a category holds. @throws {RefusedError} when it holds something else */
export function readRecords(path: string, text: string, where: string): JsonObject {
  return recordsOf(parseJson(text, `${path} of ${where}`), `${path} of ${where}`);
}

/**
 * What PRIMARY answered for a category. A server that has none says so by a status: nothing at all is the answer of
 * something else, and must not remove every model.
 *
 * @throws {RefusedError} when it is something else than records by name, or none
 */
export function readPrimaryRecords(category: Category, text: string): JsonObject {
  const what = `PRIMARY's records of ${category}`;
  const records = recordsOf(parseJson(text, what), what);
  if (records.size > 0) return records;
  throw new RefusedError(`Cannot use ${what}: expected records by name, found none`, {
    code: "RECORDS_EMPTY",
    hint: "check the address and what stands in front of the server; nothing of this category was changed",
  });
}

function recordsOf(value: JsonValue, what: string): JsonObject {
  if (isJsonObject(value)) return value;
  throw new RefusedError(
    `Cannot use ${what}: expected an object of records by name, found ${
      isJsonArray(value) ? "a list" : "a single value"
    }`,
    { code: "RECORDS_INVALID", hint: "mend it there; nothing of this category was changed" },
  );
}

/**
 * Brings the files of a category to what PRIMARY says, which is the truth: models that it no longer has are removed.
 *
 * @param files all files of the category, as they are
 * @param where they are, for errors: `you/image-models`
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
  const current = readRecords(path, text, where);
  const written = new Map<string, string>();
  let wanted: JsonObject;
  let warnings: readonly string[] = [];
  if (csvPath === undefined) wanted = withKept(primary, current, options.keep);
  else {
    const plan = planTextFiles({ primary, csvText: files.get(csvPath), ...options });
    wanted = plan.records;
    warnings = plan.warnings;
    if (plan.csvText !== files.get(csvPath)) written.set(csvPath, plan.csvText);
  }
  const changes = compareRecords(current, wanted);
  if (changes.length === 0) return { category, changes, files: new Map(), warnings };
  const json = options.format === "canonical"
    ? renderJson(wanted)
    : editJson(text, wanted, `${path} of ${where}`);
  return { category, changes, files: new Map([[path, json], ...written]), warnings };
}

/** PRIMARY's records, but for those that stay as they are. */
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
