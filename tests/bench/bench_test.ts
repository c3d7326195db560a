import assert from "node:assert/strict";
import { missingProgram } from "./scenario.ts";
import { runScenario } from "./run_scenario.ts";
import { type Row, tableRow } from "./table.ts";
import { TINY } from "./scale.ts";
import { SCENARIOS } from "./scenarios.ts";

for (const [name, scenario] of Object.entries(SCENARIOS)) {
  const missing = missingProgram(scenario.needs);
  const needs = missing === undefined ? "" : ` (needs ${missing})`;
  Deno.test({
    name: `the benchmark's scenario ${name} runs from end to end with tiny models${needs}`,
    ignore: missing !== undefined,
    fn: async () => {
      const rows: Row[] = [];
      const signal = new AbortController().signal;
      await runScenario(name, scenario, TINY, { signal, onRow: (row) => rows.push(row) });
      assert.notEqual(rows.length, 0);
      for (const row of rows) {
        assert.ok(!("failed" in row), "failed" in row ? row.failed : "");
        assert.doesNotMatch(tableRow(row), /NaN|Infinity|undefined/);
        assert.match(row.ours, /\d/);
      }
    },
  });
}
