import assert from "node:assert/strict";
import { matchesAny } from "../../lib/core/wildcards.ts";

const CASES: ReadonlyArray<
  readonly [pattern: string, matching: readonly string[], others: readonly string[]]
> = [
  ["*", ["", "a", "a/b"], []],
  ["", [""], ["a"]],
  ["a*", ["a", "ab", "a/b"], ["", "ba"]],
  ["*a", ["a", "ba", "aba"], ["ab"]],
  ["*ab*ab", ["abab", "xabyab", "aabaab"], ["ab", "abx", "ababx"]],
  ["a?c", ["abc", "a/c", "a😀c"], ["ac", "abbc"]],
  ["**a**", ["a", "xax"], ["b"]],
  ["logs/", ["logs/", "logs/x/y"], ["logs", "xlogs/a"]],
  ["a.b+(c)[d]{2}^$|\\", ["a.b+(c)[d]{2}^$|\\"], ["axb+(c)[d]{2}^$|\\"]],
];

for (const [pattern, matching, others] of CASES) {
  Deno.test(`the pattern ${JSON.stringify(pattern)} matches exactly its texts`, () => {
    for (const text of matching) assert.ok(matchesAny(text, [pattern]), text);
    for (const text of others) assert.ok(!matchesAny(text, [pattern]), text);
  });
}

Deno.test("many stars on a name of equal letters, and a pattern of 100,000 characters, end", () => {
  assert.ok(!matchesAny("a".repeat(4_096), [`${"*a".repeat(40)}b`]));
  assert.ok(!matchesAny("a".repeat(200), ["*a?".repeat(30_000)]));
  assert.ok(matchesAny("a".repeat(4_096), ["*a".repeat(40)]));
});
