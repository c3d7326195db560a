import { RefusedError } from "../core/errors.ts";
import { plural } from "../core/format.ts";
import { quote } from "../core/quote.ts";
import type { Category } from "../config/sections/references.ts";
import type { ModelChange } from "./compare_records.ts";
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from "./json/json_value.ts";
import { readLazily, readNodes } from "./json/lazy_nodes.ts";
import type { JsonNode } from "./json/read_nodes.ts";

/** The records of a category's first file, and their places in its text. */
export interface FileRecords {
  readonly records: JsonObject;
  readonly root: JsonNode;
}

/** Returns the records of a category's first file. */
export function readRecords(path: string, text: string, where: string): JsonObject {
  return readFileRecords(path, text, where).records;
}

/** As {@link readRecords}, with the places of the records. */
export function readFileRecords(path: string, text: string, where: string): FileRecords {
  const what = `${path} of ${where}`;
  const root = readNodes(text, what);
  return {
    root,
    records: recordsOf(root.value, what, "correct the file; nothing of this category was changed"),
  };
}

const CHECK_PRIMARY =
  "check PRIMARY and the proxies in front of it, which may have sent an error message; nothing of this category was changed";

/**
 * Returns PRIMARY's records of a category by name. A server without records answers with a status code. An empty
 * answer, or anything but one object for each model, is an error message and must not remove every model.
 *
 * @throws {RefusedError} code `RECORDS_INVALID` or `RECORDS_EMPTY`
 */
export function readPrimaryRecords(category: Category, text: string): JsonObject {
  const what = `PRIMARY's records of ${category}`;
  const records = recordsOf(readLazily(text, what), what, CHECK_PRIMARY);
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
 * Refuses an answer with an entry that is not a model's record, whatever the settings allow: it is an error message, or
 * part of one.
 *
 * Records of PRIMARY have a `name`, except in categories without any names. A record of a new model is recognized by
 * its own name, or by its `config`, which every image model has: `control_qr_sdxl` is named `control_qr_xl` in its
 * record. `{"error": {"code": 503}}` has neither.
 *
 * @param changes the changes by entries that may not be records
 * @throws {RefusedError} code `RECORDS_INVALID`
 */
export function refuseForeignRecords(
  category: Category,
  records: JsonObject,
  changes: readonly ModelChange[],
): void {
  const added = changes.filter(({ kind }) => kind === "added").length;
  const replaced = changes.flatMap((change) => change.kind === "added" ? [] : [change.before]);
  const areNamed = [...records.values(), ...replaced].some((record) => nameIn(record) !== undefined);
  if (!areNamed && added < records.size) return;
  const wrong = changes.flatMap((change) => {
    const problem = recordProblem(change);
    return problem === undefined ? [] : [{ name: change.name, problem }];
  });
  const [first] = wrong;
  if (first === undefined) return;
  const what = wrong.length === records.size
    ? "nothing in them is a model"
    : `${wrong.length} of ${plural(records.size, "record")} ${
      wrong.length === 1 ? "is not a model" : "are not models"
    }`;
  throw new RefusedError(
    `Cannot use PRIMARY's records of ${category}: ${what}: the record of ${
      shown(first.name)
    } ${first.problem}`,
    { code: "RECORDS_INVALID", hint: CHECK_PRIMARY },
  );
}

/** Returns what a changed record lacks to be a model's. */
function recordProblem(change: ModelChange): string | undefined {
  if (change.kind === "removed") return undefined;
  const name = nameIn(change.after);
  if (change.kind === "modified") {
    return name === undefined && nameIn(change.before) !== undefined ? "holds no name" : undefined;
  }
  if (name === change.name || (name !== undefined && hasConfig(change.after))) return undefined;
  return "holds another name or none, and the repository has no such model";
}

function nameIn(record: JsonValue): string | undefined {
  const name = isJsonObject(record) ? record.get("name") : undefined;
  return typeof name === "string" && name !== "" ? name : undefined;
}

function hasConfig(record: JsonValue): boolean {
  return isJsonObject(record) && isJsonObject(record.get("config") ?? null);
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

/** Names of models are shorter. A key of an error message may be a long text. */
const NAME_CHARS_MAX = 100;

function shown(name: string): string {
  return quote(name.length <= NAME_CHARS_MAX ? name : `${name.slice(0, NAME_CHARS_MAX)}…`);
}
