/**
 * Whether a name matches one of several patterns, which are separated by commas: `*` stands for any characters, `?`
 * for one. Capitals do not matter.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { matchesPattern } from "./artifact_pattern.ts";
 * assert.ok(matchesPattern("*model*,*onnx*", "trained-MODELS-12"));
 * assert.ok(matchesPattern("trained-models-??", "trained-models-12"));
 * assert.ok(!matchesPattern("*model*,*onnx*", "coverage"));
 * assert.ok(!matchesPattern("model", "models"));
 * ```
 */
export function matchesPattern(patterns: string, name: string): boolean {
  return patterns.split(",").map((pattern) => pattern.trim()).filter((pattern) => pattern !== "")
    .some((pattern) => matches(pattern.toLowerCase(), name.toLowerCase()));
}

/** In time proportional to both lengths at worst: a regular expression of many stars could take for ever. */
function matches(pattern: string, name: string): boolean {
  let [inPattern, inName, star, resume] = [0, 0, -1, 0];
  while (inName < name.length) {
    const wanted = pattern[inPattern];
    if (wanted === "*") {
      star = inPattern++;
      resume = inName;
    } else if (wanted === "?" || wanted === name[inName]) {
      inPattern++;
      inName++;
    } else if (star >= 0) {
      inPattern = star + 1;
      inName = ++resume;
    } else return false;
  }
  while (pattern[inPattern] === "*") inPattern++;
  return inPattern === pattern.length;
}
