import { oneLine, quote } from "../core/quote.ts";
import type { ModelChange } from "./compare_records.ts";
import { fieldChanges } from "./field_changes.ts";
import { isJsonObject, type JsonValue } from "./json/json_value.ts";
import { renderInline } from "./json/render_json.ts";

/** A line of a difference that people read. */
export interface ChangeLine {
  readonly kind: ModelChange["kind"];
  readonly text: string;
}

/** Descriptions are a sentence or two; the whole value is in the file. */
const VALUE_CHARS_MAX = 160;

/**
 * A model's change in lines: its name, and below it each field with what it was and what it becomes.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { changeLines } from "./change_lines.ts";
 * const [before, after] = [new Map([["version", "1"]]), new Map([["version", "2"]])];
 * assert.deepEqual(changeLines({ kind: "modified", name: "Deliberate", before, after }).map(({ text }) => text), [
 *   "~ Deliberate",
 *   '    version: "1" → "2"',
 * ]);
 * ```
 */
export function changeLines(change: ModelChange): ChangeLine[] {
  switch (change.kind) {
    case "added":
      return [
        { kind: "added", text: `+ ${oneLine(change.name)}` },
        ...fieldsOf(change.after).map((text): ChangeLine => ({ kind: "added", text: `    ${text}` })),
      ];
    case "removed":
      return [{ kind: "removed", text: `- ${oneLine(change.name)}` }];
    case "modified":
      return [
        { kind: "modified", text: `~ ${oneLine(change.name)}` },
        ...fieldChanges(change.before, change.after).map(({ path, before, after }): ChangeLine => {
          const name = path === "" ? "" : `${oneLine(path)}: `;
          if (before === undefined) return { kind: "added", text: `    ${name}${showValue(after)} (new)` };
          if (after === undefined) {
            return { kind: "removed", text: `    ${name}${showValue(before)} (removed)` };
          }
          return { kind: "modified", text: `    ${name}${showValue(before)} → ${showValue(after)}` };
        }),
      ];
  }
}

function fieldsOf(record: JsonValue): string[] {
  if (!isJsonObject(record)) return [showValue(record)];
  return Array.from(record, ([key, value]) => `${oneLine(key)}: ${showValue(value)}`);
}

/** A value in one line, as JSON but with letters of all scripts; shortened where it is long. */
function showValue(value: JsonValue | undefined): string {
  if (value === undefined) return "nothing";
  const text = typeof value === "string" ? quote(value) : oneLine(renderInline(value));
  return text.length <= VALUE_CHARS_MAX
    ? text
    : `${text.slice(0, VALUE_CHARS_MAX)}… (${text.length} characters)`;
}
