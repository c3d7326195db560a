import { matchesWildcards } from "../core/wildcards.ts";

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
    .some((pattern) => matchesWildcards(name.toLowerCase(), pattern.toLowerCase()));
}
