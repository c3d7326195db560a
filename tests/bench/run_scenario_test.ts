import assert from "node:assert/strict";
import { dirname } from "node:path";
import { BenchUsageError, parseBenchOptions } from "./options.ts";
import { exponentOf } from "./growth.ts";
import { runScenario } from "./run_scenario.ts";
import { type Row, tableRow } from "./table.ts";
import { FULL, QUICK, type Scale, TINY } from "./scale.ts";
import { type Measurement, scenario } from "./scenario.ts";

const ROW = { what: "a | b", ours: "1 s", theirs: "2 s", ratio: "2 times", wanted: "" };

/** Runs a scenario with tiny models, and returns its rows. */
async function rowsOf(measure: Measurement, options: { limitMs?: number; signal?: AbortSignal } = {}) {
  const rows: Row[] = [];
  const { limitMs = TINY.limitMs, signal = new AbortController().signal } = options;
  await runScenario("example", scenario(measure), { ...TINY, limitMs }, {
    signal,
    onRow: (row) => rows.push(row),
  });
  return rows;
}

Deno.test("a scenario that fails keeps the rows that it measured, and the line of its error is a row", async () => {
  let folder = "";
  const rows = await rowsOf(async (bench) => {
    folder = bench.dir;
    bench.report({ ...ROW, kept: false });
    await bench.shell(bench.dir, "echo info >&2; echo 'error: no | disk' >&2; echo more >&2; exit 7");
  });
  assert.deepEqual(rows.map(tableRow), [
    "| a \\| b | 1 s | 2 s | 2 times |  |  |",
    "| `example` | failed: error: no \\| disk |  |  |  | **no** |",
  ]);
  assert.throws(() => Deno.statSync(dirname(folder)), Deno.errors.NotFound);
});

Deno.test("only a full run checks targets", async () => {
  const verdictsIn = async (scale: Scale) => {
    const rows: Row[] = [];
    const { signal } = new AbortController();
    const kept = scenario((bench) => Promise.resolve(bench.report({ ...ROW, kept: false })));
    await runScenario("example", kept, scale, { signal, onRow: (row) => rows.push(row) });
    return rows.map((row) => "kept" in row ? row.kept : undefined);
  };
  assert.deepEqual(await Promise.all([FULL, QUICK, TINY].map(verdictsIn)), [[false], [undefined], [
    undefined,
  ]]);
});

Deno.test("a scenario that takes longer than its limit is ended and becomes a failed row", async () => {
  const rows = await rowsOf(async (bench) => void await bench.shell(bench.dir, "sleep 600"), { limitMs: 60 });
  assert.deepEqual(rows, [{ scenario: "example", failed: "not finished after 0.001 minutes" }]);
});

Deno.test("an interrupted scenario ends its processes and removes its folder", async () => {
  const interruption = new AbortController();
  let folder = "";
  const run = rowsOf(async (bench) => {
    folder = bench.dir;
    const process = bench.shell(bench.dir, "touch started; sleep 600");
    using watcher = Deno.watchFs(bench.dir);
    for await (const _change of watcher) break;
    interruption.abort(new Error("interrupted"));
    await process;
  }, { signal: interruption.signal });
  await assert.rejects(run, /interrupted/);
  assert.throws(() => Deno.statSync(dirname(folder)), Deno.errors.NotFound);
});

Deno.test("a scenario whose program is not installed is a failed row", async () => {
  const rows: Row[] = [];
  const { signal } = new AbortController();
  const needy = scenario(() => Promise.resolve(), "no-such-program");
  await runScenario("example", needy, TINY, { signal, onRow: (row) => rows.push(row) });
  assert.deepEqual(rows, [{ scenario: "example", failed: "no-such-program is not installed" }]);
});

Deno.test("names choose the scenarios that begin with them, in the order of the table", () => {
  const known = ["help", "pull-first", "pull-one"];
  const namesOf = (...args: string[]) => {
    const options = parseBenchOptions(args, known);
    return options === "help" ? options : options.names;
  };
  assert.deepEqual(namesOf(), known);
  assert.deepEqual(namesOf("pull", "help", "--quick"), known);
  assert.deepEqual(namesOf("pull-one", "--json"), ["pull-one"]);
  assert.equal(namesOf("nonsense", "--help"), "help");
});

Deno.test("without a name, the scenarios of growth are not run", () => {
  const options = parseBenchOptions(["--quick"], ["help", "growth-files"], ["growth-files"]);
  assert.deepEqual(options === "help" ? options : options.names, ["help"]);
  const chosen = parseBenchOptions(["growth"], ["help", "growth-files"], ["growth-files"]);
  assert.deepEqual(chosen === "help" ? chosen : chosen.names, ["growth-files"]);
});

Deno.test("the exponent of a curve is its slope in logarithms", () => {
  const costs = (exponent: number) => [1, 10, 100].map((size) => [size, 3 * size ** exponent] as const);
  for (const exponent of [0, 0.5, 1, 2]) {
    assert.ok(Math.abs((exponentOf(costs(exponent)) ?? NaN) - exponent) < 1e-9, String(exponent));
  }
  assert.equal(exponentOf([[1, 1]]), undefined);
});

Deno.test("an unknown name or option is a usage error that says what there is", () => {
  const known = ["help", "pull-first"];
  const parse = (...args: string[]) => () => parseBenchOptions(args, known);
  assert.throws(
    parse("nonsense"),
    new BenchUsageError('no scenario begins with "nonsense": choose from help, pull-first'),
  );
  assert.throws(parse("--fast"), /unknown option --fast\. Usage: deno task bench/);
});
