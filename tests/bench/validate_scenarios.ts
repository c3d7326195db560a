import { join } from "node:path";
import { Validate } from "../../lib/config/sections/validate.ts";
import type { ModelFile } from "../../lib/validators/checker.ts";
import { validateRelease } from "../../lib/validators/validate_release.ts";
import { modelFiles } from "../helpers/model_files.ts";
import { recognitionModel } from "../helpers/recognition_model.ts";
import { PYTHON } from "../helpers/scikit_learn.ts";
import { testContext } from "../helpers/test_context.ts";
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

/** The number of models in a release of which all changed. */
const MODELS = 4;

/** Validating text recognition models for images of a fixed width: alone, against an active one, and several at once. */
export async function validateRecognition(bench: Workbench): Promise<void> {
  const width = bench.scale.count(320);
  const written = (folder: string, count: number, drift: number) => {
    const dir = join(bench.dir, folder);
    const paths = Array.from({ length: count }, (_, index) => `${index}.onnx`);
    const model = recognitionModel({ width, drift });
    return { dir, files: modelFiles(dir, Object.fromEntries(paths.map((path) => [path, model]))) };
  };
  const [active, changed] = [written("active", MODELS, 0), written("changed", MODELS, 0.02)];
  const one = (release: Release): Release => ({ ...release, files: release.files.slice(0, 1) });
  const first = await validateTime(bench, one(changed));
  const compared = await validateTime(bench, one(changed), one(active));
  const several = await validateTime(bench, changed, active);
  const megabytes = `${((changed.files[0]?.size ?? 0) / 1e6).toFixed(0)} MB`;
  const row = (what: string, timeMs: number) => ({ what, ours: seconds(timeMs), theirs: "", ratio: "" });
  bench.report({
    ...row(`validate a first text recognition model of ${megabytes}`, first),
    wanted: "under 2 s",
    kept: first < 2000,
  }, {
    ...row("the same, compared with an active model", compared),
    wanted: "under 5 s",
    kept: compared < 5000,
  }, {
    ...row(`the same with ${MODELS} changed models, on ${navigator.hardwareConcurrency} cores`, several),
    ratio: `${(several / compared).toFixed(1)} times the time of one`,
    wanted: `${MODELS} times, divided by the cores`,
  });
}

interface Release {
  readonly dir: string;
  readonly files: readonly ModelFile[];
}

async function validateTime(bench: Workbench, release: Release, active?: Release): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < bench.scale.rounds(3); round++) {
    const start = performance.now();
    await validateRelease(testContext({ signal: bench.signal }), {
      ...release,
      digest: "sha256:1",
      createdAt: new Date().toISOString(),
      active,
      settings: Validate.parse({}),
    });
    times.push(performance.now() - start);
  }
  return median(times);
}
