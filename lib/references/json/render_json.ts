import { isJsonArray, type JsonValue } from "./json_value.ts";
import { isJsonScalar, renderScalar, renderString } from "./render_scalar.ts";

/**
 * Returns a value byte for byte as Python's `json.dumps(value, indent=4)`, and a newline.
 *
 * @throws {RangeError} for NaN and Infinity
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { renderJson } from "./render_json.ts";
 * assert.equal(renderJson(new Map([["size", [3, 3n]]])), `{
 *     "size": [
 *         3.0,
 *         3
 *     ]
 * }
 * `);
 * ```
 */
export function renderJson(value: JsonValue): string {
  const pieces: string[] = [];
  write(pieces, value, "\n");
  pieces.push("\n");
  return pieces.join("");
}

/**
 * Returns a value on one line, as Python's `json.dumps(value)`.
 *
 * @throws {RangeError} for NaN and Infinity
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { renderInline } from "./render_json.ts";
 * assert.equal(renderInline(new Map([["temperature", 0.7], ["top_k", 1]])), '{"temperature": 0.7, "top_k": 1.0}');
 * ```
 */
export function renderInline(value: JsonValue): string {
  const pieces: string[] = [];
  write(pieces, value, undefined);
  return pieces.join("");
}

/** As {@link renderJson} inside a value whose lines begin with this line break and indentation, without a newline at the end. */
export function renderAt(value: JsonValue, lineBreak: string): string {
  const pieces: string[] = [];
  write(pieces, value, lineBreak);
  return pieces.join("");
}

/** `lineBreak` is a newline and the indentation of the value's line; `undefined` for one line. */
function write(pieces: string[], value: JsonValue, lineBreak: string | undefined): void {
  if (isJsonScalar(value)) {
    pieces.push(renderScalar(value));
    return;
  }
  const inner = lineBreak === undefined ? undefined : `${lineBreak}    `;
  const separator = inner === undefined ? ", " : `,${inner}`;
  let before = inner ?? "";
  if (isJsonArray(value)) {
    pieces.push("[");
    for (const item of value) {
      pieces.push(before);
      write(pieces, item, inner);
      before = separator;
    }
    pieces.push(value.length === 0 ? "]" : `${lineBreak ?? ""}]`);
  } else {
    pieces.push("{");
    for (const [key, item] of value) {
      pieces.push(before, renderString(key), ": ");
      write(pieces, item, inner);
      before = separator;
    }
    pieces.push(value.size === 0 ? "}" : `${lineBreak ?? ""}}`);
  }
}
