import assert from "node:assert/strict";

/** A Python with scikit-learn, which is not always the first on the path; `undefined` where there is none. */
export const PYTHON = ["python3", "/usr/bin/python3"].find((command) => {
  try {
    return new Deno.Command(command, { args: ["-c", "import joblib, sklearn"], stderr: "null" }).outputSync()
      .success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
});

/** What a test that needs it adds to its name. */
export const WITHOUT_PYTHON = PYTHON === undefined ? " (needs python3-joblib and python3-sklearn)" : "";

/** Trains a forest and a scaler into the folder that it runs in, as scikit-learn's users store them. */
export const TRAIN = `
import joblib, pickle
from sklearn.ensemble import RandomForestClassifier
from sklearn.preprocessing import StandardScaler
x, y = [[float(i), float(i % 3)] for i in range(60)], [i % 2 for i in range(60)]
joblib.dump(RandomForestClassifier(n_estimators=5, random_state=0).fit(x, y), "rf.joblib")
joblib.dump(StandardScaler().fit(x), "scaler.joblib", compress=3)
pickle.dump({"features": ["a", "b"]}, open("features.pkl", "wb"))
`;

const USE = `
import joblib, pickle
model, scaler = joblib.load("rf.joblib"), joblib.load("scaler.joblib")
print(model.predict([[1.0, 1.0], [2.0, 2.0]]).tolist(), scaler.mean_.tolist(), pickle.load(open("features.pkl", "rb")))
`;

/** Trains in a folder that is there. */
export function trainModels(folder: string): void {
  python(folder, TRAIN);
}

/** Loads what {@link TRAIN} made and uses it; equal models say the same. */
export function useModels(folder: string): string {
  return python(folder, USE);
}

function python(cwd: string, script: string): string {
  const { success, stdout, stderr } = new Deno.Command(PYTHON ?? "python3", { args: ["-c", script], cwd })
    .outputSync();
  assert.ok(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).trim();
}
