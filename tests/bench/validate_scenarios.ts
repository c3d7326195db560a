import { join } from "node:path";
import { PYTHON } from "../helpers/scikit_learn.ts";
import { median, MIB, seconds, size } from "./units.ts";
import type { Workbench } from "./workbench.ts";

/**
 * Arrays as joblib writes them, plain and compressed; and numbers as pickle writes them, an opcode and nine bytes each.
 */
const STORE = `
import joblib, numpy, pickle, sys
count = int(sys.argv[1]) // 100
arrays = [numpy.random.default_rng(i).integers(0, 16, count // 8) * 1.0 for i in range(100)]
joblib.dump(arrays, "arrays.joblib")
joblib.dump(arrays, "compressed.joblib", compress=3)
pickle.dump([float(i) for i in range(count * 100 // 9)], open("numbers.pkl", "wb"))
`;

/** Inspecting pickles, as a whole process. */
export async function walkPickles(bench: Workbench): Promise<void> {
  if (PYTHON === undefined) throw new Error("walking pickles needs python3-joblib and python3-sklearn");
  const bytes = bench.scale.bytes(100 * MIB);
  await bench.run(bench.dir, [PYTHON, "-c", STORE, String(bytes)]);
  for (const name of ["arrays.joblib", "compressed.joblib", "numbers.pkl"]) {
    const ours: number[] = [];
    const theirs: number[] = [];
    for (let round = 0; round < bench.scale.rounds(3); round++) {
      ours.push(
        (await bench.script(bench.dir, "tests/bench/measured/inspect_pickle.ts", join(bench.dir, name)))
          .wallMs,
      );
      const load = `import joblib; joblib.load(${JSON.stringify(name)})`;
      theirs.push((await bench.run(bench.dir, [PYTHON, "-c", load])).wallMs);
    }
    bench.report({
      what: `inspect a pickle of ${size(bytes)}: ${name}`,
      ours: seconds(median(ours)),
      theirs: `\`joblib.load\`, which executes it: ${seconds(median(theirs))}`,
      ratio: `${(median(theirs) / median(ours)).toFixed(1)} times as fast`,
      wanted: "under 2 s",
      kept: median(ours) < 2000,
    });
  }
}
