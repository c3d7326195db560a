import { messageAndHint, type RefusedError } from "../../core/errors.ts";
import { quote } from "../../core/quote.ts";
import { jsonEquals } from "../json/json_equals.ts";
import { isJsonObject, type JsonObject } from "../json/json_value.ts";
import { isEmpty } from "./csv_to_records.ts";
import { COLUMNS, MODELS_CSV } from "./models_csv.ts";

/** The fields of a record that have columns in `models.csv`. */
const HELD: ReadonlySet<string> = new Set([
  "parameters",
  ...COLUMNS.filter((column) => column !== "name" && column !== "parameters_bn"),
]);

/** The number of names in a warning. */
const MAX_NAMES = 5;

/**
 * Returns a warning for each field of PRIMARY's records that the files cannot hold: a version other than 1, for
 * example.
 */
export function unheldFields(primary: JsonObject, names: readonly string[], records: JsonObject): string[] {
  const models = new Map<string, string[]>();
  for (const name of names) {
    const [wanted, got] = [primary.get(name) ?? null, records.get(name) ?? null];
    if (!isJsonObject(wanted) || !isJsonObject(got)) continue;
    for (const [field, value] of wanted) {
      if (HELD.has(field)) continue;
      const held = got.get(field);
      if (held === undefined ? isEmpty(value) : jsonEquals(held, value)) continue;
      const known = models.get(field) ?? [];
      known.push(name);
      models.set(field, known);
    }
  }
  return Array.from(
    models,
    ([field, names]) =>
      `PRIMARY's ${quote(field)} is not synced, because ${MODELS_CSV} has no column for it: ${
        namesInWarning(names)
      }`,
  );
}

/** Returns a warning for each record that does not fit into a row, and one for the rest. */
export function skippedRecords(refusals: readonly RefusedError[]): string[] {
  const more = refusals.length - MAX_NAMES;
  return [
    ...refusals.slice(0, MAX_NAMES).map((refusal) =>
      `skipped a record, and kept the files' version: ${messageAndHint(refusal)}`
    ),
    ...(more > 0 ? [`skipped ${more} more records that ${MODELS_CSV} cannot hold`] : []),
  ];
}

/** `"a", "b" and 3 more` */
export function namesInWarning(names: readonly string[]): string {
  const shown = names.slice(0, MAX_NAMES).map(quote).join(", ");
  return names.length > MAX_NAMES ? `${shown} and ${names.length - MAX_NAMES} more` : shown;
}
