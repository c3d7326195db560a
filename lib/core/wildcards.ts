/**
 * Whether a text matches one of these patterns: `*` stands for any characters, also `/`, `?` for one; a pattern that
 * ends with `/` is everything below that folder. So Hugging Face's own tools read such patterns.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { matchesAny } from "./wildcards.ts";
 * assert.ok(matchesAny("BTC_USDC/rf.joblib", ["*.joblib"]));
 * assert.ok(matchesAny("logs/today/x.txt", ["logs/"]));
 * assert.ok(!matchesAny("model.json", ["*.joblib", "model.?"]));
 * ```
 */
export function matchesAny(text: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => toRegExp(pattern).test(text));
}

function toRegExp(pattern: string): RegExp {
  const whole = pattern.endsWith("/") ? `${pattern}*` : pattern;
  // Several stars in a row mean the same as one, and would only cost time.
  const source = whole.replace(/\*+/g, "*").replace(/[.+^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${source}$`, "su");
}
