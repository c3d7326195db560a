/**
 * Returns whether a text matches one of the patterns. `*` matches any characters including `/`, `?` matches one, and a
 * trailing `/` matches everything below that folder. Hugging Face's tools read patterns in the same way.
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
  return patterns.some((pattern) => matchesWildcards(text, pattern.endsWith("/") ? `${pattern}*` : pattern));
}

/** Returns whether a text matches a pattern with `*` and `?`. */
export function matchesWildcards(text: string, pattern: string): boolean {
  return matches([...text], [...pattern]);
}

/**
 * Backtracks to the last star only, so it needs at most the product of both lengths. A regular expression backtracks to
 * every star: a name of a hundred equal letters would take hours.
 */
function matches(text: readonly string[], pattern: readonly string[]): boolean {
  let [textAt, patternAt] = [0, 0];
  let afterStar: { readonly pattern: number; readonly text: number } | undefined;
  while (textAt < text.length) {
    const wanted = pattern[patternAt];
    if (wanted === "*") {
      afterStar = { pattern: ++patternAt, text: textAt };
    } else if (wanted !== undefined && (wanted === "?" || wanted === text[textAt])) {
      patternAt++;
      textAt++;
    } else if (afterStar !== undefined) {
      afterStar = { pattern: afterStar.pattern, text: afterStar.text + 1 };
      patternAt = afterStar.pattern;
      textAt = afterStar.text;
    } else {
      return false;
    }
  }
  return pattern.slice(patternAt).every((char) => char === "*");
}
