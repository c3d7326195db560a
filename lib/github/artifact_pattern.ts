import { matchesWildcards } from "../core/wildcards.ts";

/**
 * Returns whether a name matches one of the comma-separated patterns. `*` matches any characters, `?` matches one.
 * Upper and lower case are equal.
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
    .some((pattern) => matchesWildcards(name.toLowerCase(), pattern.toLowerCase()));
}
