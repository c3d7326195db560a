import type { z } from "zod";
import { parseBoolean } from "./boolean_text.ts";

/** A number as text: in quotes, or with the underscores of YAML 1.1. */
const NUMBER = /^[+-]?\d[\d_]*(?:\.\d+)?$/;

/**
 * Changes texts of a configuration file that their settings do not take into what they say: `no` into a boolean, `"20"`
 * into a number, `post` into `POST`. An empty text sets nothing.
 *
 * @param raw the settings, which are changed
 * @param issues what is wrong with them
 * @returns whether anything was changed
 */
export function fitTexts(raw: unknown, issues: readonly z.core.$ZodIssue[]): boolean {
  return issues.map((issue) => fitText(raw, issue)).includes(true);
}

function fitText(raw: unknown, issue: z.core.$ZodIssue): boolean {
  const key = issue.path.at(-1);
  const parent = issue.path.slice(0, -1).reduce<unknown>(
    (value, name) => isObject(value) ? Reflect.get(value, name) : undefined,
    raw,
  );
  if (key === undefined || !isObject(parent)) return false;
  const text: unknown = Reflect.get(parent, key);
  if (typeof text !== "string") return false;
  if (text.trim() === "") return !Array.isArray(parent) && Reflect.deleteProperty(parent, key);
  const value = meaningOf(text.trim(), issue);
  return value !== undefined && Reflect.set(parent, key, value);
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
