import { join } from "node:path";
import { PROJECT } from "../helpers/run_cli.ts";
import { PYTHON } from "../helpers/scikit_learn.ts";
import type { Result } from "./bench.ts";
import { measure, median } from "./measure.ts";
import { seconds } from "./publish_scenarios.ts";

const INSPECT = `${PROJECT}tests/bench/inspect_pickle.ts`;

const ROUNDS = 5;

/** 100 MiB each: arrays, as joblib writes them, plain and compressed; and numbers, as pickle does, an opcode each. */
const STORE = `
import joblib, numpy, pickle, random
arrays = [numpy.random.default_rng(i).integers(0, 16, 131072) * 1.0 for i in range(100)]
joblib.dump(arrays, "arrays.joblib")
joblib.dump(arrays, "compressed.joblib", compress=3)
pickle.dump([float(i) for i in range(11_600_000)], open("numbers.pkl", "wb"))
`;

/** Walking pickles of 100 MiB, the whole process. */
export async function walkPickles(dir: string): Promise<Result[]> {
  if (PYTHON === undefined) throw new Error("walking pickles needs python3-joblib and python3-sklearn");
  await measure(dir, [PYTHON, "-c", STORE]);
  const results: Result[] = [];
  for (const name of ["arrays.joblib", "compressed.joblib", "numbers.pkl"]) {
    const ours: number[] = [];
    const theirs: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      ours.push((await measure(dir, [Deno.execPath(), "run", "-q", "-A", INSPECT, join(dir, name)])).wallMs);
      const load = `import joblib; joblib.load(${JSON.stringify(name)})`;
      theirs.push((await measure(dir, [PYTHON, "-c", load])).wallMs);
    }
    results.push({
      what: `walk a pickle of 100 MiB: ${name}`,
      ours: seconds(median(ours)),
      theirs: `\`joblib.load\`, which executes it: ${seconds(median(theirs))}`,
      ratio: `${(median(theirs) / median(ours)).toFixed(1)} times as fast`,
      wanted: "under 2 s",
      kept: median(ours) < 2000,
    });
  }
  return results;
}
