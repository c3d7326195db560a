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
  return patterns.some((pattern) => matchesWildcards(text, pattern.endsWith("/") ? `${pattern}*` : pattern));
}

/** Whether a text is what a pattern with `*` and `?` describes. */
export function matchesWildcards(text: string, pattern: string): boolean {
  return matches([...text], [...pattern]);
}

/**
 * Goes back to the last star alone, which takes the product of both lengths at most; a regular expression goes back to
 * each, and names with a hundred equal letters would keep it busy for hours.
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
