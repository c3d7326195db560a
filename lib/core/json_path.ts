import { parseJson } from "./json.ts";

/** A name in an object, or a place in a list. */
export type JsonStep = string | number;

/** A name, `[0]`, or a quoted name in brackets for one that has dots or blanks. */
const STEP = /(?:^|\.)([^\s.[\]"']+)|\[(\d{1,9})\]|\[("(?:[^"\\]|\\.)*")\]|\['([^']*)'\]/y;

/**
 * Returns the steps of a path into JSON; `undefined` if the text is not a path.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { parseJsonPath } from "./json_path.ts";
 * assert.deepEqual(parseJsonPath("stats.win_rate"), ["stats", "win_rate"]);
 * assert.deepEqual(parseJsonPath('$.results[0]["p.95"]'), ["results", 0, "p.95"]);
 * assert.equal(parseJsonPath("stats..win_rate"), undefined);
 * ```
 */
export function parseJsonPath(text: string): JsonStep[] | undefined {
  const path = text.startsWith("$") ? text.slice(1) : text;
  const startsWell = path === text ? !path.startsWith(".") : /^[.[]/.test(path);
  if (path === "" || !startsWell) return undefined;
  const steps: JsonStep[] = [];
  for (let at = 0; at < path.length; at = STEP.lastIndex) {
    STEP.lastIndex = at;
    const step = stepOf(STEP.exec(path));
    if (step === undefined) return undefined;
    steps.push(step);
  }
  return steps;
}

function stepOf(match: RegExpExecArray | null): JsonStep | undefined {
  const [, name, index, quoted, single] = match ?? [];
  if (index !== undefined) return Number(index);
  return name ?? (quoted === undefined ? single : unquote(quoted));
}

function unquote(quoted: string): string | undefined {
  const name = parseJson(quoted);
  return typeof name === "string" ? name : undefined;
}

/** Returns the value at a path; `undefined` if there is none. Inherited properties are ignored. */
export function valueAt(json: unknown, path: readonly JsonStep[]): unknown {
  let value = json;
  for (const step of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, step)) return undefined;
    if (typeof step === "number" && !Array.isArray(value)) return undefined;
    value = new Map(Object.entries(value)).get(String(step));
  }
  return value;
}
