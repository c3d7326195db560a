import { oneLine, quote } from "../core/quote.ts";
import type { ModelChange } from "./compare_records.ts";
import { fieldChanges } from "./field_changes.ts";
import { isJsonObject, type JsonValue } from "./json/json_value.ts";
import { renderInline } from "./json/render_json.ts";

/** A line of a readable difference. */
export interface ChangeLine {
  readonly kind: ModelChange["kind"];
  readonly text: string;
}

/** Enough for a description of two sentences; the file has the whole value. */
const VALUE_CHARS_MAX = 160;

/** The number of characters shown before the first difference of two long values: enough to find it in the file. */
const COMMON_CHARS_MAX = 30;

/** Half of a surrogate pair at the edge of a piece. */
const HALVES = /^[\udc00-\udfff]|[\ud800-\udbff]$/gu;

/**
 * Returns a model's change in lines: its name, then each field with its old and new value.
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
          return { kind: "modified", text: `    ${name}${showPair(before, after)}` };
        }),
      ];
  }
}

function fieldsOf(record: JsonValue): string[] {
  if (!isJsonObject(record)) return [showValue(record)];
  return Array.from(record, ([key, value]) => `${oneLine(key)}: ${showValue(value)}`);
}

/** Returns the old and the new value; of long values the part from shortly before the first difference. */
function showPair(before: JsonValue, after: JsonValue): string {
  const [was, becomes] = [inOneLine(before), inOneLine(after)];
  const isLong = was.length > VALUE_CHARS_MAX || becomes.length > VALUE_CHARS_MAX;
  const start = isLong ? Math.max(0, firstDifference(was, becomes) - COMMON_CHARS_MAX) : 0;
  return `${shorten(was, start)} → ${shorten(becomes, start)}`;
}

function showValue(value: JsonValue | undefined): string {
  return value === undefined ? "nothing" : shorten(inOneLine(value), 0);
}

/** Returns a value as JSON, with non-ASCII letters unescaped. */
function inOneLine(value: JsonValue): string {
  return typeof value === "string" ? quote(value) : oneLine(renderInline(value));
}

function firstDifference(one: string, other: string): number {
  let index = 0;
  while (index < one.length && one[index] === other[index]) index++;
  return index;
}

function shorten(text: string, start: number): string {
  if (start === 0 && text.length <= VALUE_CHARS_MAX) return text;
  const piece = text.slice(start, start + VALUE_CHARS_MAX).replace(HALVES, "");
  const rest = start + VALUE_CHARS_MAX < text.length ? "…" : "";
  return `${start > 0 ? "…" : ""}${piece}${rest} (${text.length} characters)`;
}
