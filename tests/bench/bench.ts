/**
 * Speed and memory against what a user would type instead, in the same run on the same machine. Every figure is a
 * median. Exits with 1 if a target is missed or a scenario fails.
 */
import { BenchUsageError, parseBenchOptions, USAGE } from "./options.ts";
import { runScenario } from "./run_scenario.ts";
import { type Row, TABLE_HEAD, tableRow } from "./table.ts";
import { SCENARIOS } from "./scenarios.ts";

const HELP = `${USAGE}

Measure speed and memory against what you would type instead. Without a name, run every scenario except those of
growth: about 20 minutes and 15 GB of disk space. A name chooses the scenarios that begin with it. "growth" measures
how costs grow with the size: about an hour and 35 GB.

  --quick  use smaller models and fewer rounds, check no targets: under 5 minutes
  --json   print one JSON object for each row

The table goes to standard output, a row as soon as it is measured; progress goes to standard error. A failed scenario
is a row, and the others are still run. Exit codes: 0 targets met, 1 a target missed or a scenario failed,
2 wrong usage, 130 interrupted.

Scenarios:
${Object.keys(SCENARIOS).map((name) => `  ${name}\n`).join("")}`;

if (import.meta.main) {
  // It was read when the scenarios were loaded. The measured commands would examine a variable that begins like theirs.
  Deno.env.delete("MODEL_SYNC_TEST_EXECUTABLE");
  Deno.exit(await main(Deno.args));
}

async function main(args: readonly string[]): Promise<number> {
  try {
    const names = Object.keys(SCENARIOS);
    const onlyNamed = names.filter((name) => SCENARIOS[name]?.isGrowth === true);
    const options = parseBenchOptions(args, names, onlyNamed);
    if (options !== "help") return await run(options);
    print(HELP, Deno.stdout);
    return 0;
  } catch (error) {
    if (!(error instanceof BenchUsageError)) throw error;
    print(`error: ${error.message}\n`, Deno.stderr);
    return 2;
  }
}

async function run(
  { scale, json, names }: Exclude<ReturnType<typeof parseBenchOptions>, "help">,
): Promise<number> {
  const interruption = new AbortController();
  const interrupt = () => interruption.abort();
  Deno.addSignalListener("SIGINT", interrupt);
  Deno.addSignalListener("SIGTERM", interrupt);
  let isKept = true;
  const onRow = (row: Row) => {
    isKept &&= "failed" in row ? false : row.kept !== false;
    print(`${json ? JSON.stringify(row) : tableRow(row)}\n`, Deno.stdout);
  };
  if (!json) {
    if (scale.name === "quick") {
      print("Quick run: smaller models, fewer rounds. Only a full run checks targets.\n\n", Deno.stdout);
    }
    print(`${TABLE_HEAD}\n`, Deno.stdout);
  }
  for (const [index, name] of names.entries()) {
    print(`${name} (${index + 1} of ${names.length}) ...\n`, Deno.stderr);
    const scenario = SCENARIOS[name];
    if (scenario === undefined) throw new TypeError(`no scenario ${name}`);
    try {
      await runScenario(name, scenario, scale, { signal: interruption.signal, onRow });
    } catch (error) {
      if (!interruption.signal.aborted) throw error;
      print("interrupted\n", Deno.stderr);
      return 130;
    }
  }
  return isKept ? 0 : 1;
}

function print(text: string, stream: typeof Deno.stdout): void {
  stream.writeSync(new TextEncoder().encode(text));
}
