import assert from "node:assert/strict";

/** Runs Python with a value as `given`, and returns its `result`. */
function runPython(script: string, given: unknown): unknown {
  const file = Deno.makeTempFileSync({ suffix: ".json" });
  try {
    // Single surrogates are escaped here and by Python.
    Deno.writeTextFileSync(file, JSON.stringify(given));
    const program = `
import json, sys
given = json.load(open(sys.argv[1], encoding="utf-8"))
${script}
print(json.dumps(result))
`;
    const { success, stdout, stderr } = new Deno.Command("python3", { args: ["-c", program, file] })
      .outputSync();
    assert.ok(success, new TextDecoder().decode(stderr));
    return JSON.parse(new TextDecoder().decode(stdout));
  } finally {
    Deno.removeSync(file);
  }
}

/** Python's result for a text: `json.dumps(json.loads(text), indent=4)` and a newline, and the same on one line. */
export interface PythonAnswer {
  readonly indented: string;
  readonly inline: string;
}

/** Returns Python's result for each text; `null` if it is not JSON or contains NaN or Infinity. */
export function pythonRoundTrips(texts: readonly string[]): (PythonAnswer | null)[] {
  const script = `
def answer(text):
    try:
        # allow_nan=False: no NaN, and no number that has become Infinity.
        value = json.loads(text)
        return {
            "indented": json.dumps(value, indent=4, allow_nan=False) + "\\n",
            "inline": json.dumps(value, allow_nan=False),
        }
    except ValueError:
        return None
result = [answer(text) for text in given]`;
  const answers = runPython(script, texts);
  assert.ok(Array.isArray(answers) && answers.length === texts.length);
  return answers;
}

/** Returns for each pair of texts whether Python finds their values equal. */
export function pythonEquals(pairs: readonly (readonly [string, string])[]): boolean[] {
  const answers = runPython("result = [json.loads(a) == json.loads(b) for a, b in given]", pairs);
  assert.ok(Array.isArray(answers) && answers.length === pairs.length);
  return answers;
}
