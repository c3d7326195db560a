import assert from "node:assert/strict";

/** Debian's packages are for Debian's Python, which need not be the first on the path. */
const PYTHONS = ["python3", "/usr/bin/python3"];

/** A Python that has joblib. */
const PYTHON = PYTHONS.find((python) => succeeds(python, "import joblib"));

/** Why a test with real model files cannot run here, if so. */
export const NO_PYTHON_MODELS: string | undefined = PYTHON === undefined
  ? "python3-joblib is not installed"
  : undefined;

const MAKE =
  "import joblib, pickle, sys; d = sys.argv[1]; m = {'weights': list(range(10000)), 'name': 'hmm'}; " +
  "joblib.dump(m, d + '/rf.joblib', compress=3); pickle.dump(m, open(d + '/hmm.pkl', 'wb'))";

const LOAD = "import joblib, pickle, sys; d = sys.argv[1]; a = joblib.load(d + '/rf.joblib'); " +
  "b = pickle.load(open(d + '/hmm.pkl', 'rb')); " +
  "assert a == b and a['name'] == 'hmm' and len(a['weights']) == 10000";

/** The files that {@link makePythonModels} writes. */
export const PYTHON_MODELS = ["hmm.pkl", "rf.joblib"];

/** Writes a real joblib file and a real pickle. */
export function makePythonModels(folder: string): void {
  assert.ok(succeeds(PYTHON ?? "", MAKE, folder), `cannot write models to ${folder}`);
}

/** Has Python load the files, as a bot would. */
export function loadPythonModels(folder: string): void {
  assert.ok(succeeds(PYTHON ?? "", LOAD, folder), `Python cannot load the models in ${folder}`);
}

function succeeds(python: string, script: string, ...args: string[]): boolean {
  try {
    return new Deno.Command(python, { args: ["-c", script, ...args], stdin: "null" }).outputSync().success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
