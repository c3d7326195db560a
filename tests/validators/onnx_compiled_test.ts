import assert from "node:assert/strict";
import { join } from "node:path";
import { excludedRuntimes } from "../../configs/compile.ts";
import { PROJECT } from "../helpers/run_cli.ts";
import { classifier, endless } from "../helpers/onnx_bytes.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";

/** Read for the models and the runtime, run for Deno itself: what a command needs to validate ONNX models. */
const PERMISSIONS = ["--allow-read", "--allow-run", "--no-prompt"];

const PROGRAM = join(PROJECT, "tests/validators/onnx_program.ts");

function modelsIn(dir: string): string[] {
  writeFiles(dir, {
    "good.onnx": classifier([[1, 2], [3, 4]]),
    "broken.onnx": classifier([[NaN, 2], [3, 4]]),
    "endless.onnx": endless(),
  });
  return ["good.onnx", "broken.onnx", "endless.onnx"].map((name) => join(dir, name));
}

function judges(stdout: Uint8Array): void {
  assert.match(
    new TextDecoder().decode(stdout),
    /20 sanity vectors computed\n.*its output "probabilities" is NaN.*\n.*did not load and compute it within 5 s\n$/,
  );
}

Deno.test("models are tried with the permissions to read and to run, and no others", () => {
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
  judges(stdout);
});

/** Compiles the program; without a runtime stub (`DENORT_BIN`, or Deno's download site) there is none. */
function build() {
  const dir = tempDir();
  const path = join(dir.path, Deno.build.os === "windows" ? "program.exe" : "program");
  const options = ["-q", "--unstable-npm-lazy-caching", ...PERMISSIONS, ...excludedRuntimes()];
  const result = new Deno.Command(Deno.env.get("DENO_COMPILE_BIN") ?? Deno.execPath(), {
    args: ["compile", ...options, "-o", path, PROGRAM],
    cwd: PROJECT,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).outputSync();
  if (result.success) return { dir, path, missing: undefined };
  const stderr = new TextDecoder().decode(result.stderr);
  assert.match(stderr, /Setting up base binary/, `deno compile failed: ${stderr}`);
  return { dir, path, missing: /error sending request.*/.exec(stderr)?.[0] ?? "no runtime stub" };
}

const BUILD = build();
globalThis.addEventListener("unload", () => BUILD.dir[Symbol.dispose]());

Deno.test({
  name: `a compiled program finds ONNX Runtime in itself, and holds no more of it than it needs${
    BUILD.missing === undefined ? "" : ` (cannot be built here: ${BUILD.missing})`
  }`,
  ignore: BUILD.missing !== undefined,
  fn() {
    using dir = tempDir();
    const { size } = Deno.statSync(BUILD.path);
    assert.ok(size < 130 * 1024 * 1024, `${size} bytes`);
    const { stdout } = new Deno.Command(BUILD.path, {
      args: modelsIn(dir.path),
      cwd: dir.path,
      // Without a cache that it could take the runtime from.
      env: { DENO_DIR: join(dir.path, "no-cache") },
      stdin: "null",
    }).outputSync();
    judges(stdout);
  },
});
