import assert from "node:assert/strict";
import { join } from "node:path";
import { findPython, madeByPython, runPython, SAID } from "./python_fixture.ts";

const FOUND = findPython(["python3", "/usr/bin/python3"]);

/** A Python with scikit-learn, which is not always the first on the path; `undefined` if there is none. */
export const PYTHON = FOUND?.command;

/** The suffix for the names of tests that need it. */
export const WITHOUT_PYTHON = PYTHON === undefined ? " (needs python3-joblib and python3-sklearn)" : "";

/** Trains a forest and a scaler, and stores them in its working folder like users of scikit-learn. */
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

/** Returns a read-only folder with the models of {@link TRAIN}. */
export function trainedModels(): string {
  return madeBy(TRAIN);
}

/** Returns the output of {@link useModels} for the models of {@link trainedModels}. */
export function trainedModelsSay(): string {
  return Deno.readTextFileSync(join(madeBy(TRAIN + USE), SAID));
}

/** Returns a read-only folder with the output of a script that uses scikit-learn. */
export function madeBy(script: string): string {
  assert.ok(FOUND !== undefined, "there is no scikit-learn");
  return madeByPython(FOUND, script);
}

/** Loads and uses the models of {@link TRAIN}; equal models have the same output. */
export function useModels(folder: string): string {
  return runPython(PYTHON ?? "python3", USE, folder);
}
