import { cleanLine } from "../core/clean_text.ts";
import { quote } from "../core/quote.ts";
import { parseJson } from "../core/json.ts";
import { parseJsonPath, valueAt } from "../core/json_path.ts";

/** What a look at a metric gave. */
export type Reading =
  /** A finite number. */
  | { readonly kind: "value"; readonly value: number }
  /** Something was measured, and it is not a number, or infinite. */
  | { readonly kind: "nan" }
  /** Nothing was measured. */
  | { readonly kind: "no-data"; readonly reason: string };

export function noData(reason: string): Reading {
  return { kind: "no-data", reason: cleanLine(reason) };
}

/** As much of an answer as a message quotes. */
const QUOTED_CHARS_MAX = 60;

const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
const NOT_FINITE = /^[+-]?(?:nan|inf|infinity)$/i;

/**
 * The reading that a number, or a text that is one, stands for. Not-a-number and infinities are spelled as Prometheus,
 * Python and JavaScript spell them.
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

/** The reading at a path of a JSON text; without a path the whole text is the number. */
export function readJsonNumber(text: string, path: string | undefined): Reading {
  if (path === undefined) return readNumber(text);
  const json = parseLenient(text);
  if (json === undefined) return noData("it is not JSON");
  const value = valueAt(json, parseJsonPath(path) ?? []);
  return value === undefined ? noData(`it has nothing at ${quote(path)}`) : readNumber(value);
}

/** Strings, to be left alone, also one that nothing ends; and the words that Python writes into its JSON. */
const PYTHON_WORD = /"(?:[^"\\]|\\.)*(?:"|$)|-?\b(?:NaN|Infinity)\b/gs;

/** JSON, and what Python takes for JSON: a bot whose win rate is `NaN` has measured something. */
function parseLenient(text: string): unknown {
  const plain = parseJson(text);
  if (plain !== undefined || !/NaN|Infinity/.test(text)) return plain;
  return parseJson(text.replace(PYTHON_WORD, (word) => word.startsWith('"') ? word : `"${word}"`));
}
