import type * as z from "zod";

/** The spellings of booleans in YAML 1.1 and in environment variables. */
const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ["true", true],
  ["yes", true],
  ["on", true],
  ["1", true],
  ["false", false],
  ["no", false],
  ["off", false],
  ["0", false],
]);

/** Returns the boolean that a text spells in any case; `undefined` for other texts. */
export function parseBoolean(text: string): boolean | undefined {
  return BOOLEANS.get(text.trim().toLowerCase());
}

/** A number as text: written in quotes, or with the underscores of YAML 1.1. */
const NUMBER = /^[+-]?\d[\d_]*(?:\.\d+)?$/;

/**
 * Converts a text of a configuration file to the type of its setting: `no` to a boolean, `"20"` to a number, `post` to
 * `POST`. Removes an empty text, because it sets nothing.
 *
 * @param raw the settings; the function changes them
 * @param issue the validation error of one setting
 * @returns `undefined` if the text cannot be converted
 */
export function fitText(raw: unknown, issue: z.core.$ZodIssue): "read" | "removed" | undefined {
  const key = issue.path.at(-1);
  const parent = issue.path.slice(0, -1).reduce<unknown>(
    (value, name) => isObject(value) ? Reflect.get(value, name) : undefined,
    raw,
  );
  if (key === undefined || !isObject(parent)) return undefined;
  const text: unknown = Reflect.get(parent, key);
  if (typeof text !== "string") return undefined;
  if (text.trim() === "") {
    return !Array.isArray(parent) && Reflect.deleteProperty(parent, key) ? "removed" : undefined;
  }
  const value = meaningOf(text.trim(), issue);
  return value !== undefined && Reflect.set(parent, key, value) ? "read" : undefined;
}

function meaningOf(text: string, issue: z.core.$ZodIssue): unknown {
  const lower = text.toLowerCase();
  if (issue.code === "invalid_value") {
    return issue.values.find((value) => String(value).toLowerCase() === lower);
  }
  if (issue.code !== "invalid_type") return undefined;
  if (issue.expected === "boolean") return parseBoolean(text);
  const isNumeric = issue.expected === "number" || issue.expected === "int";
  return isNumeric && NUMBER.test(text) ? Number(text.replaceAll("_", "")) : undefined;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
