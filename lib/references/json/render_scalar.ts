import { isJsonArray, isJsonObject, type JsonValue } from "./json_value.ts";

/** A value without children. */
export type JsonScalar = null | boolean | string | bigint | number;

export function isJsonScalar(value: JsonValue): value is JsonScalar {
  return !isJsonObject(value) && !isJsonArray(value);
}

/**
 * Returns a value without children as Python's `json.dumps` writes it.
 *
 * @throws {RangeError} for NaN and Infinity, which JSON cannot hold and {@link parseJson} refuses
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { renderScalar } from "./render_scalar.ts";
 * assert.equal(renderScalar(3), "3.0");
 * assert.equal(renderScalar(3n), "3");
 * assert.equal(renderScalar(1e16), "1e+16");
 * assert.equal(renderScalar("é"), String.raw`"\u00e9"`);
 * ```
 */
export function renderScalar(value: JsonScalar): string {
  if (typeof value === "string") return renderString(value);
  return typeof value === "number" ? renderFloat(value) : String(value);
}

/** Printable ASCII without quotes and backslashes, which needs no escapes. Most texts are of this kind. */
const PLAIN = /^[ !#-[\]-~]*$/;

/**
 * Returns a text as Python writes it with `ensure_ascii`: characters other than printable ASCII as `\uXXXX`, in lower
 * case.
 */
export function renderString(text: string): string {
  if (PLAIN.test(text)) return `"${text}"`;
  return JSON.stringify(text).replace(/[\u007f-\uffff]/g, escapeUnit);
}

/**
 * Returns a text with unescaped non-ASCII characters. Single surrogates, which UTF-8 cannot encode, and control
 * characters are escaped.
 */
export function renderRawString(text: string): string {
  // JSON.stringify() escapes characters below U+0020 and single surrogates.
  return JSON.stringify(text).replace(/[\u007f-\u009f]/g, escapeUnit);
}

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/**
 * Returns Python's `repr()` of a float: the fewest digits that give the same number, always with a point or an
 * exponent.
 */
function renderFloat(value: number): string {
  if (!Number.isFinite(value)) throw new RangeError(`${value} cannot be written as JSON`);
  if (Object.is(value, -0)) return "-0.0";
  const [digits = "", exponent = ""] = value.toExponential().split("e");
  const power = Number(exponent);
  if (power >= -4 && power < 16) return Number.isInteger(value) ? `${value}.0` : String(value);
  return `${digits}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
}
