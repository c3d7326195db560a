import { messageAndHint, type RefusedError } from "../../core/errors.ts";
import { quote } from "../../core/quote.ts";
import { jsonEquals } from "../json/json_equals.ts";
import { isJsonObject, type JsonObject } from "../json/json_value.ts";
import { isEmpty } from "./csv_to_records.ts";
import { COLUMNS, MODELS_CSV } from "./models_csv.ts";

/** Fields of a record that the columns of `models.csv` hold. */
const HELD: ReadonlySet<string> = new Set([
  "parameters",
  ...COLUMNS.filter((column) => column !== "name" && column !== "parameters_bn"),
]);

/** Names in one warning: enough to find them, few enough to read. */
const MAX_NAMES = 5;

/** What PRIMARY says and the files cannot, one warning a field: a version other than 1, for example. */
export function unheldFields(primary: JsonObject, names: readonly string[], records: JsonObject): string[] {
  const models = new Map<string, string[]>();
  for (const name of names) {
    const [wanted, got] = [primary.get(name) ?? null, records.get(name) ?? null];
    if (!isJsonObject(wanted) || !isJsonObject(got)) continue;
    for (const [field, value] of wanted) {
      const held = got.get(field);
      const same = held === undefined ? isEmpty(value) : jsonEquals(held, value);
      if (HELD.has(field) || same) continue;
      const known = models.get(field) ?? [];
      known.push(name);
      models.set(field, known);
    }
  }
  return Array.from(
    models,
    ([field, names]) =>
      `PRIMARY's ${quote(field)} is lost, because ${MODELS_CSV} has no column for it: ${
        namesInWarning(names)
      }`,
  );
}

/** One warning for each record that no row can hold, with what is wrong with it; the rest in one more. */
export function skippedRecords(refusals: readonly RefusedError[]): string[] {
  const more = refusals.length - MAX_NAMES;
  return [
    ...refusals.slice(0, MAX_NAMES).map((refusal) =>
      `skipped a record, and kept what the files have of it: ${messageAndHint(refusal)}`
    ),
    ...(more > 0 ? [`skipped ${more} more records that ${MODELS_CSV} cannot hold`] : []),
  ];
}

/** `"a", "b" and 3 more` */
export function namesInWarning(names: readonly string[]): string {
  const shown = names.slice(0, MAX_NAMES).map(quote).join(", ");
  return names.length > MAX_NAMES ? `${shown} and ${names.length - MAX_NAMES} more` : shown;
}
