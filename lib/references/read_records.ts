import { RefusedError } from "../core/errors.ts";
import { quote } from "../core/quote.ts";
import type { Category } from "./categories.ts";
import { type ModelChange, namesOf } from "./compare_records.ts";
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from "./json/json_value.ts";
import { parseJson } from "./json/parse_json.ts";

/** The records that the first file of a category holds. @throws {RefusedError} when it holds something else */
export function readRecords(path: string, text: string, where: string): JsonObject {
  const what = `${path} of ${where}`;
  return recordsOf(parseJson(text, what), what, "correct the file; nothing of this category was changed");
}

const CHECK_PRIMARY =
  "check PRIMARY and the proxies in front of it, which may have sent an error message; nothing of this category was changed";

/**
 * Returns PRIMARY's records of a category by name. A server without records answers with a status: an answer that holds
 * nothing, or anything but one object for each model, is an error message, and must not remove every model.
 *
 * @throws {RefusedError} code `RECORDS_INVALID` or `RECORDS_EMPTY`
 */
export function readPrimaryRecords(category: Category, text: string): JsonObject {
  const what = `PRIMARY's records of ${category}`;
  const records = recordsOf(parseJson(text, what), what, CHECK_PRIMARY);
  if (records.size === 0) {
    throw new RefusedError(`Cannot use ${what}: expected records by name, found none`, {
      code: "RECORDS_EMPTY",
      hint: CHECK_PRIMARY,
    });
  }
  const [wrong, ...others] = [...records].filter(([, record]) => !isJsonObject(record));
  if (wrong === undefined) return records;
  const more = others.length === 0 ? "" : `, and ${others.length} more are not records`;
  throw new RefusedError(
    `Cannot use ${what}: ${shown(wrong[0])} is ${kindOf(wrong[1])}, expected an object${more}`,
    { code: "RECORDS_INVALID", hint: CHECK_PRIMARY },
  );
}

/**
 * Refuses an answer in which nothing looks like a model of the category: the repository knows none of its names, and
 * no record holds its own name, as every model record of PRIMARY does. `{"error": {"code": 503}}` is not a model.
 *
 * @param plan what the answer would change
 * @throws {RefusedError} code `RECORDS_INVALID`
 */
export function refuseForeignRecords(
  category: Category,
  records: JsonObject,
  { changes }: { readonly changes: readonly ModelChange[] },
): void {
  const unknown = new Set(namesOf(changes, "added"));
  const isModel = ([key, record]: readonly [string, JsonValue]) =>
    !unknown.has(key) || (isJsonObject(record) && record.get("name") === key);
  if ([...records].some(isModel)) return;
  const [first = ""] = records.keys();
  throw new RefusedError(
    `Cannot use PRIMARY's records of ${category}: nothing in them is a model: the record of ${
      shown(first)
    } holds ` +
      "another name or none, and the repository has no such model",
    { code: "RECORDS_INVALID", hint: CHECK_PRIMARY },
  );
}

function recordsOf(value: JsonValue, what: string, hint: string): JsonObject {
  if (isJsonObject(value)) return value;
  throw new RefusedError(
    `Cannot use ${what}: expected an object of records by name, found ${kindOf(value)}`,
    {
      code: "RECORDS_INVALID",
      hint,
    },
  );
}

function kindOf(value: JsonValue): string {
  if (value === null) return "null";
  if (isJsonArray(value)) return "a list";
  return typeof value === "string" ? "a text" : typeof value === "boolean" ? `${value}` : "a number";
}

/** Names of models are shorter; a key of an error message may be a whole text. */
const NAME_CHARS_MAX = 100;

function shown(name: string): string {
  return quote(name.length <= NAME_CHARS_MAX ? name : `${name.slice(0, NAME_CHARS_MAX)}…`);
}
