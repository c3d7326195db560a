import assert from "node:assert/strict";
import { join } from "node:path";
import { PROJECT } from "../../helpers/run_cli.ts";
import { classifier, endless } from "../../helpers/onnx_bytes.ts";
import { tempDir, writeFiles } from "../../helpers/temp_dir.ts";

/** The permissions to validate ONNX models: read for the models and the runtime, run for Deno itself. */
const PERMISSIONS = ["--allow-read", "--allow-run", "--no-prompt"];

const PROGRAM = join(PROJECT, "tests/validators/onnx/inspecting_program.ts");

function modelsIn(dir: string): string[] {
  writeFiles(dir, {
    "good.onnx": classifier([[1, 2], [3, 4]]),
    "broken.onnx": classifier([[NaN, 2], [3, 4]]),
    "endless.onnx": endless(),
  });
  return ["good.onnx", "broken.onnx", "endless.onnx"].map((name) => join(dir, name));
}

Deno.test("models are tried with permissions to read and to run only", () => {
  using dir = tempDir();
  const { stdout } = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-q",
      ...PERMISSIONS,
      "--config",
      join(PROJECT, "deno.json"),
      PROGRAM,
      ...modelsIn(dir.path),
    ],
    cwd: dir.path,
    stdin: "null",
  }).outputSync();
  assert.match(
    new TextDecoder().decode(stdout),
    /8 sanity vectors computed\nwarn .*its output "probabilities" is NaN.*\n.*computed\n.*did not load and compute it within 12 s\n$/,
  );
});
