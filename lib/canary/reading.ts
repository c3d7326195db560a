import { cleanLine } from "../core/clean_text.ts";
import { quote } from "../core/quote.ts";
import { parseJson } from "../core/json.ts";
import { parseJsonPath, valueAt } from "../core/json_path.ts";

/** The result of sampling a metric. */
export type Reading =
  /** A finite number. */
  | { readonly kind: "value"; readonly value: number }
  /** The measured value is not a number, or infinite. */
  | { readonly kind: "nan" }
  /** Nothing was measured. */
  | { readonly kind: "no-data"; readonly reason: string };

export function noData(reason: string): Reading {
  return { kind: "no-data", reason: cleanLine(reason) };
}

/** The length of a quoted answer in a message. */
const QUOTED_CHARS_MAX = 60;

const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
const NOT_FINITE = /^[+-]?(?:nan|inf|infinity)$/i;

/**
 * Returns the reading of a number, or of a text that is a number. NaN and infinities are spelled as in Prometheus,
 * Python and JavaScript.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { readNumber } from "./reading.ts";
 * assert.deepEqual(readNumber(" 0.61\n"), { kind: "value", value: 0.61 });
 * assert.deepEqual(readNumber("+Inf"), { kind: "nan" });
 * assert.deepEqual(readNumber(""), { kind: "no-data", reason: 'it is "", not a number' });
 * ```
 */
export function readNumber(value: unknown): Reading {
  if (typeof value === "number") return fromNumber(value);
  if (typeof value !== "string") return noData(`it is ${typeName(value)}, not a number`);
  const text = value.trim();
  if (DECIMAL.test(text)) return fromNumber(Number(text));
  if (NOT_FINITE.test(text)) return { kind: "nan" };
  return noData(`it is ${quote(cleanLine(text, { charsMax: QUOTED_CHARS_MAX }))}, not a number`);
}

function fromNumber(value: number): Reading {
  return Number.isFinite(value) ? { kind: "value", value } : { kind: "nan" };
}

function typeName(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "a list" : typeof value === "object" ? "an object" : `a ${typeof value}`;
}

/** Returns the reading at a path of a JSON text; without a path, of the whole text. */
export function readJsonNumber(text: string, path: string | undefined): Reading {
  if (path === undefined) return readNumber(text);
  const json = parseLenient(text);
  if (json === undefined) return noData("it is not JSON");
  const value = valueAt(json, parseJsonPath(path) ?? []);
  return value === undefined ? noData(`it has nothing at ${quote(path)}`) : readNumber(value);
}

/** Strings, which stay unchanged, also without an end; and the words that Python writes into JSON. */
const PYTHON_WORD = /"(?:[^"\\]|\\.)*(?:"|$)|-?\b(?:NaN|Infinity)\b/gs;

/** Parses JSON, also with Python's `NaN` and `Infinity`: a bot whose win rate is `NaN` has measured something. */
function parseLenient(text: string): unknown {
  const plain = parseJson(text);
  if (plain !== undefined || !/NaN|Infinity/.test(text)) return plain;
  return parseJson(text.replace(PYTHON_WORD, (word) => word.startsWith('"') ? word : `"${word}"`));
}

/** The significant digits that people see. */
const DIGITS = 4;

/** Returns a value of a metric for people: `0.6123`, `1200`. */
export function formatNumber(value: number): string {
  return String(Number(value.toPrecision(DIGITS)));
}

/** Returns a part as a percentage: `15 %`. */
export function formatPart(part: number): string {
  return `${Number((part * 100).toPrecision(DIGITS - 1))} %`;
}
