import assert from "node:assert/strict";
import { changeLines } from "../../lib/references/change_lines.ts";
import type { JsonValue } from "../../lib/references/json/json_value.ts";

/** The line of a field that was one value and becomes another. */
function lineOf(before: JsonValue, after: JsonValue): string {
  const [, line] = changeLines({
    kind: "modified",
    name: "model",
    before: new Map([["field", before]]),
    after: new Map([["field", after]]),
  });
  return line?.text.trim() ?? "";
}

Deno.test("changeLines() shows two long values where they differ", () => {
  const long = "A model for portraits. ".repeat(20);
  assert.equal(
    lineOf(`${long}Old.`, `${long}New, and better.`),
    'field: …raits. A model for portraits. Old." (466 characters) → ' +
      '…raits. A model for portraits. New, and better." (478 characters)',
  );
  const files = Array.from({ length: 9 }, (_, index) => `https://models.example.org/${index}.ckpt`);
  assert.match(lineOf(files, [...files, "https://models.example.org/new.ckpt"]), /→ .*new\.ckpt/);
});

Deno.test("changeLines() shows two short values completely", () => {
  assert.equal(lineOf("a".repeat(150), "b"), `field: "${"a".repeat(150)}" → "b"`);
});

Deno.test("changeLines() shortens long values, and cuts no letter in two", () => {
  assert.equal(lineOf("1", "😀".repeat(200)), `field: "1" → "${"😀".repeat(79)}… (402 characters)`);
  const [before, after] = ["x" + "😀".repeat(200) + "a", "x" + "😀".repeat(200) + "b"];
  assert.ok(lineOf(before, after).isWellFormed());
});
