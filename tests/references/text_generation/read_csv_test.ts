import assert from "node:assert/strict";
import fc from "fast-check";
import * as z from "zod";
import { csvCell, csvText, readCsv } from "../../../lib/references/text_generation/csv.ts";
import { runPython } from "./text_reference.ts";

const HOSTILE = fc.array(
  fc.constantFrom('"', '"', ",", ",", "\n", "\r", "\r\n", '""', '","', "a", " ", "é", "😀", "\ufeff", "\t"),
  { maxLength: 14 },
).map((pieces) => pieces.join(""));

/** `undefined` when it refuses. */
function cellsOf(text: string): string[][] | undefined {
  try {
    return readCsv(text, "test").map((row) => [...row.cells]);
  } catch {
    return undefined;
  }
}

Deno.test("readCsv() reads as Python's csv does, and refuses only a quote that never closes", async () => {
  const texts = fc.sample(HOSTILE, { numRuns: 3000, seed: 7 });
  const expected = await runPython(texts.map((text) => ["read", text]), z.array(z.array(z.string())));
  for (const [index, text] of texts.entries()) {
    const cells = cellsOf(text);
    if (cells !== undefined) assert.deepEqual(cells, expected[index], JSON.stringify(text));
    // With a closing quote at its end, the text is valid.
    else assert.notEqual(cellsOf(`${text}"`), undefined, JSON.stringify(text));
  }
  assert.ok(texts.filter((text) => cellsOf(text) !== undefined).length > 1000);
});

Deno.test("readCsv() loses no byte", () => {
  fc.assert(fc.property(HOSTILE, (text) => {
    fc.pre(cellsOf(text) !== undefined);
    assert.equal(csvText(readCsv(text, "test")), text);
  }));
});

Deno.test("readCsv() reports the line of a row, and of a quote that does not close", () => {
  const text = 'a,b\r\n"two\nlines",x\r\n\nlast,"row';
  assert.throws(() => readCsv(text, "models.csv"), /line 5 of models\.csv: a quoted cell does not end/);
  assert.deepEqual(readCsv(`${text}"`, "models.csv").map((row) => row.line), [1, 2, 4, 5]);
});

Deno.test("readCsv() refuses a cell that is too long for Python", async () => {
  const text = `short,${"x".repeat(131_073)}\n`;
  assert.deepEqual(await runPython([["read", text]], z.unknown()), [null]);
  assert.throws(() => readCsv(text, "models.csv"), /line 1 of models\.csv: a cell has 131073 characters/);
  assert.equal(readCsv(`short,${"x".repeat(131_072)}\n`, "models.csv").length, 1);
});

Deno.test("csvCell() writes what Python's csv writes", async () => {
  const rows = fc.sample(fc.tuple(HOSTILE, HOSTILE), { numRuns: 1000, seed: 7 }).map((row) => [...row]);
  const written = await runPython(rows.map((row) => ["write", [row]]), z.string());
  for (const [index, row] of rows.entries()) {
    assert.equal(csvText([{ text: row.map(csvCell).join(","), ending: "\r\n" }]), written[index]);
  }
});
