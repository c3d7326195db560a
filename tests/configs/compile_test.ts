import assert from "node:assert/strict";
import { brotliDecompressSync } from "node:zlib";
import { PACKED_ORT } from "../../lib/validators/onnx/ort_package.ts";
import { createHash } from "node:crypto";
import { basename, join } from "node:path";
import { compile } from "../../configs/compile.ts";
import type { ProgramResult } from "../../configs/compile/compile_tools.ts";
import { isLoaded } from "../../configs/install/loaded_files.ts";
import { REFUSED_CODE } from "../../configs/compile/bundle_scripts.ts";
import { hostTarget } from "../../configs/compile/targets.ts";
import { readFiles, tempDir, writeFiles } from "../helpers/temp_dir.ts";

const DONE: ProgramResult = { success: true, stdout: "", stderr: "" };

/** A call of `deno compile`. */
interface Compiled {
  readonly target: string;
  readonly output: string;
  readonly entry: string;
  readonly args: readonly string[];
  readonly dropped: readonly string[];
  /** The files that the build has written for it. */
  readonly dist: Readonly<Record<string, string>>;
}

/** Runs the task `compile` with a compiler that answers as told, and otherwise writes the executable's target into it. */
async function runCompile(
  folder: string,
  args: readonly string[],
  answer: (compiled: Compiled, calls: number) => string | undefined = () => undefined,
  others: (args: readonly string[]) => Partial<ProgramResult> = () => ({}),
) {
  const compiled: Compiled[] = [];
  const [printed, complaints]: [string[], string[]] = [[], []];
  const [onnx, wasm] = [join(folder, "onnxruntime-web"), "ort-wasm-simd-threaded"];
  writeFiles(folder, {
    "deno.json": `{"imports": {}}`,
    [`onnxruntime-web/dist/${wasm}.mjs`]: "module",
    [`onnxruntime-web/dist/${wasm}.wasm`]: "code ".repeat(1_000),
  });
  const web = { name: "onnxruntime-web", version: "1.0.0", dependencies: [], localPath: onnx };
  const code = await compile({
    project: folder,
    deno: "deno",
    compiler: "compiler",
    run(program, rest, dropped = []) {
      const valueOf = (option: string) => rest[rest.indexOf(option) + 1] ?? "";
      if (program === "deno") {
        if (rest.includes("--outdir")) {
          Deno.writeTextFileSync(
            join(valueOf("--outdir"), "executable.js"),
            "export {\n  start\n};\nfunction start() {}\n",
          );
        }
        if (rest.includes("-o")) Deno.writeTextFileSync(valueOf("-o"), "the runtime");
        const json = rest.join(" ") === "info --json"
          ? { denoDir: join(folder, "cache") }
          : { modules: [{ npmPackage: "onnx" }], npmPackages: { onnx: web } };
        return Promise.resolve({ ...DONE, stdout: JSON.stringify(json), ...others(rest) });
      }
      if (program.includes("write_code")) return Promise.resolve({ ...DONE, ...others(rest) });
      if (program !== "compiler") {
        return Promise.resolve({ ...DONE, stdout: "model-sync 1.2.3\n", ...others(rest) });
      }
      const entry = rest.at(-1) ?? "";
      const dist = readFiles(join(folder, "dist"));
      const call = { target: valueOf("--target"), output: valueOf("-o"), entry, args: rest, dropped, dist };
      compiled.push(call);
      const failure = answer(call, compiled.length);
      if (failure !== undefined) return Promise.resolve({ success: false, stdout: "", stderr: failure });
      Deno.writeTextFileSync(call.output, call.target);
      return Promise.resolve(DONE);
    },
    print: (line) => printed.push(line),
    complain: (line) => complaints.push(line),
  }, args);
  return { code, compiled, printed, complaints };
}

/** A message of Deno 2.9, with the stack trace that it prints. */
function denoError(...causes: readonly string[]): string {
  return [
    "error: Writing deno compile executable to temporary file '/tmp/x.tmp-9586'",
    "\nCaused by:",
    ...causes.map((cause, index) => causes.length === 1 ? `    ${cause}` : `    ${index}: ${cause}`),
    "\nStack backtrace:",
    "   0: <unknown>",
  ].join("\n");
}

const HOST = hostTarget();

Deno.test("compile --all builds five platforms, uses DENORT_BIN for this machine only, and writes checksums", async () => {
  using dir = tempDir();
  const output = join(dir.path, "my releases");
  const { code, compiled, printed } = await runCompile(dir.path, ["--all", "--output", output]);
  assert.equal(code, 0);
  const { SHA256SUMS, ...programs } = readFiles(output);
  assert.deepEqual(programs, {
    "model-sync-linux-arm64": "aarch64-unknown-linux-gnu",
    "model-sync-linux-x64": "x86_64-unknown-linux-gnu",
    "model-sync-macos-arm64": "aarch64-apple-darwin",
    "model-sync-macos-x64": "x86_64-apple-darwin",
    "model-sync-windows-x64.exe": "x86_64-pc-windows-msvc",
  });
  for (const { target, output, entry, dropped } of compiled) {
    assert.deepEqual(dropped, target === HOST?.triple ? [] : ["DENORT_BIN"], target);
    const bundle = target.includes("windows") ? "program-windows" : "program";
    if (output.includes("write_code")) continue;
    assert.equal(entry, join(dir.path, "dist", bundle, "run.js"), "the bundle starts, not the source");
  }
  const digest = (text: string) => createHash("sha256").update(text).digest("hex");
  const sums = Object.entries(programs).map(([name, text]) => `${digest(text)}  ${name}`);
  assert.deepEqual(SHA256SUMS?.trimEnd().split("\n").sort(), sums.sort());
  assert.match(printed.join("\n"), /model-sync-windows-x64\.exe for windows-x64: 0\.0 MB/);
});

Deno.test("a runtime that cannot be downloaded is one line for its platform, the others are built, and no checksums stay", async () => {
  using dir = tempDir();
  writeFiles(dir.path, { "dist/SHA256SUMS": "of older executables" });
  const url = "https://dl.example.org/release/v2.9.6/denort-aarch64-apple-darwin.zip";
  const { code, complaints } = await runCompile(
    dir.path,
    ["--all", "--output", join(dir.path, "dist")],
    ({ target }) =>
      target !== "aarch64-apple-darwin" ? undefined : denoError(
        "Setting up base binary.",
        `error sending request for url (${url}): client error (Connect): dns error: Name or service not known`,
        "dns error",
        "failed to lookup address information: Name or service not known",
      ),
  );
  assert.equal(code, 4);
  const cached = join(dir.path, "cache/dl/release/v2.9.6/denort-aarch64-apple-darwin.zip");
  assert.deepEqual(complaints, [
    `error: Cannot compile for macos-arm64: cannot download Deno's runtime from ${url}: ` +
    `failed to lookup address information: Name or service not known. Set HTTPS_PROXY, or copy that file to ${cached}, ` +
    "or run model-sync from the clone with deno task",
  ]);
  const executables = Object.keys(readFiles(join(dir.path, "dist"))).filter((name) =>
    name.startsWith("model-sync-")
  );
  assert.equal(executables.length, 4);
});

Deno.test("a runtime whose download was cut off is downloaded again, once", async () => {
  using dir = tempDir();
  const triple = HOST?.triple ?? "";
  const zip = `cache/dl/release/v2.9.6/denort-${triple}.zip`;
  const other = "cache/dl/release/v2.9.6/denort-other.zip";
  writeFiles(dir.path, { [zip]: "half", [other]: "whole" });
  const path = join(dir.path, "program");
  const again = await runCompile(
    dir.path,
    ["--output", path],
    (_, calls) => calls === 1 ? denoError("Failed to unpack archive.") : undefined,
  );
  const outputs = again.compiled.map(({ output }) => basename(output, ".exe"));
  assert.deepEqual([again.code, outputs, again.complaints], [0, ["write_code", "write_code", "program"], []]);
  assert.deepEqual(Object.keys(readFiles(join(dir.path, "cache"))), [other.replace("cache/", "")]);

  const always = await runCompile(dir.path, ["--output", path], () => denoError("Failed to unpack archive."));
  assert.deepEqual([always.code, always.compiled.length], [1, 2]);
});

Deno.test("failures of deno compile are one line with the reason, the next step and an exit code, without a stack trace", async () => {
  using dir = tempDir();
  const path = join(dir.path, "program");
  const cases: readonly (readonly [string, number, RegExp])[] = [
    [
      denoError("Writing binary bytes", "I/O error: No space left on device (os error 28)"),
      7,
      /^error: Cannot compile for \S+: no space left on the disk of .*program\. Free 300 MB, or choose another disk with --output$/,
    ],
    [
      denoError("Could not find denort at '/nowhere'", "No such file or directory (os error 2)"),
      2,
      /^error: Cannot compile for \S+: Deno's runtime is not usable: No such file .*\. Set DENORT_BIN to the file denort .*$/,
    ],
    [
      "error: Could not compile to file '/x' because a directory exists with the same name.\n\nStack backtrace:\n   0: x",
      1,
      /^error: Cannot compile for \S+: Could not compile to file '\/x' because a directory exists with the same name\.$/,
    ],
  ];
  for (const [stderr, exitCode, line] of cases) {
    const { code, complaints } = await runCompile(dir.path, ["--output", path], () => stderr);
    assert.equal(code, exitCode);
    assert.equal(complaints.length, 1);
    assert.match(complaints[0] ?? "", line);
  }
  const usage: readonly (readonly [string[], RegExp])[] = [
    [
      ["--target", "linux-arm"],
      /Unknown target "linux-arm"; did you mean "linux-arm64"\?; the targets are linux-x64,/,
    ],
    [["--all", "--target", "linux-x64"], /--all builds for every platform/],
    [["--output", ""], /--output is empty/],
    [["--outptu", "x"], /Unknown option '--outptu'/],
  ];
  for (const [args, line] of usage) {
    const { code, complaints } = await runCompile(dir.path, args);
    assert.deepEqual([code, complaints.length], [2, 1]);
    assert.match(complaints[0] ?? "", line);
  }
});

Deno.test("packages that cannot be loaded, and an executable that does not start, are one line each", async () => {
  using dir = tempDir();
  const path = join(dir.path, "program");
  const run = async (others: (args: readonly string[]) => Partial<ProgramResult>) => {
    const { code, complaints } = await runCompile(dir.path, ["--output", path], undefined, others);
    return [code, complaints.join("\n")] as const;
  };
  const stderr = denoError("error sending request", "Connection refused (os error 111)");
  const [unloaded, packages] = await run((args) => args[0] === "cache" ? { success: false, stderr } : {});
  assert.equal(unloaded, 1);
  assert.match(
    packages,
    /^error: Cannot load the packages of model-sync: .*Connection refused.*\. Check the connection to the npm registry, .*$/,
  );
  const [unfit, start] = await run((args) => args[0] === "--version" ? { stdout: "" } : {});
  assert.equal(unfit, 2);
  assert.match(
    start,
    /^error: Cannot compile for \S+: Deno's runtime is not usable: .*program\S* does not start\. Set/,
  );
  assert.deepEqual(Object.keys(readFiles(dir.path)).filter((name) => name.startsWith("program")), []);
});

Deno.test("only the executable of this machine gets compiled code: V8 has that of its own platform only", async () => {
  using dir = tempDir();
  const run = async (target: string) => {
    const path = join(dir.path, "program");
    const { compiled } = await runCompile(dir.path, ["--target", target, "--output", path]);
    return compiled.map(({ output, entry, args, dist }) => {
      const folder = join(dir.path, "dist/program");
      // V8 takes code only with the flags with which it was compiled, and Deno 2.6 has Temporal only with its option.
      const flags = args.filter((arg) => /^--(?:v8-flags=|unstable-)/.test(arg)).join(" ");
      const scripts = Object.keys(dist).filter((name) => name.startsWith("program/")).sort();
      const isPacked = args[args.indexOf(folder) - 1] === "--include";
      return { program: basename(output, ".exe"), entry: basename(entry), flags, scripts, isPacked };
    });
  };
  const [code, own] = await run(HOST?.name ?? "");
  const scripts = ["load.js", "pull.txt", "run.js", "start.txt"].map((name) => `program/${name}`);
  const flags = code?.flags ?? "";
  assert.match(flags, /--unstable-temporal/);
  assert.deepEqual(code, { program: "write_code", entry: "write_code.ts", flags, scripts, isPacked: true });
  assert.deepEqual(own, { program: "program", entry: "run.js", flags, scripts, isPacked: true });
  const others = await run(HOST?.name === "linux-arm64" ? "linux-x64" : "linux-arm64");
  assert.deepEqual(others, [own]);
});

Deno.test("an executable whose compiled code its runtime refuses is not kept, nor one whose commands cannot be run", async () => {
  using dir = tempDir();
  const path = join(dir.path, "program");
  const refused = await runCompile(
    dir.path,
    ["--output", path],
    undefined,
    (args) => args[0] === "--version" ? { stderr: `model-sync: ${REFUSED_CODE}; starts take longer\n` } : {},
  );
  assert.match(
    refused.complaints.join("\n"),
    /^error: Cannot compile for \S+: model-sync: the compiled code .* does not fit/,
  );
  const failed = await runCompile(
    dir.path,
    ["--output", path],
    undefined,
    (args) => args[0] === "program" ? { success: false, stderr: "error: Uncaught SyntaxError: x" } : {},
  );
  assert.deepEqual(failed.complaints, [
    `error: Cannot compile for ${HOST?.name}: Uncaught SyntaxError: x`,
  ]);
  assert.deepEqual([refused.code, failed.code], [1, 1]);
  assert.deepEqual(Object.keys(readFiles(dir.path)).filter((name) => /write_code|^program/.test(name)), []);
});

Deno.test("an executable of a clone contains its commit, and ONNX Runtime as a module with compressed WebAssembly", async () => {
  using dir = tempDir();
  const commit = "1".repeat(40);
  writeFiles(dir.path, { ".git/HEAD": `${commit}\n` });
  const { code, compiled } = await runCompile(
    dir.path,
    ["--output", join(dir.path, "program")],
    ({ args }) => {
      if (args.includes("-q")) return undefined;
      const packed = brotliDecompressSync(Deno.readFileSync(join(dir.path, PACKED_ORT.wasm)));
      assert.equal(packed.toString(), "code ".repeat(1_000));
      return undefined;
    },
  );
  const { args = [], dist = {} } = compiled.at(-1) ?? {};
  const included = args.filter((_, index) => args[index - 1] === "--include");
  const parts = ["web/static", "dist/onnx", "dist/commit.txt", "dist/program"].map((path) =>
    join(dir.path, path)
  );
  assert.deepEqual([code, included, dist["commit.txt"]], [0, parts, `${commit}\n`]);
  assert.deepEqual(
    Object.keys(dist).filter((name) => name.startsWith("onnx/")).sort(),
    ["onnx/ort-wasm-simd-threaded.mjs", "onnx/ort.js", "onnx/ort.wasm.br"],
  );
  assert.ok(!args.some((arg) => arg.startsWith("npm:")), "Deno reads the list of packages at each start");
});

Deno.test("a build leaves only executables and checksums in dist, also one that fails, and compile --help prints the options", async () => {
  using dir = tempDir();
  writeFiles(dir.path, { ".git/HEAD": `${"1".repeat(40)}\n` });
  const dist = join(dir.path, "dist");
  const built = await runCompile(dir.path, ["--all", "--output", dist]);
  assert.equal(built.code, 0);
  assert.deepEqual(
    Object.keys(readFiles(dist)).filter((name) => !name.startsWith("model-sync-")),
    ["SHA256SUMS"],
  );
  Deno.removeSync(dist, { recursive: true });
  const failed = await runCompile(dir.path, ["--output", join(dist, "model-sync")], () => denoError("no"));
  assert.deepEqual([failed.code, readFiles(dist)], [1, {}]);
  const help = await runCompile(dir.path, ["--help"]);
  assert.deepEqual([help.code, help.compiled], [0, []]);
  assert.match(help.printed.join("\n"), /--target/);
});

Deno.test("a failed bundle is one line of readable length, whatever the bundler printed", async () => {
  using dir = tempDir();
  const stderr = `error: Import "a" not a dependency: ${"error: Import not a dependency: ".repeat(200)}`;
  const { code, complaints } = await runCompile(
    dir.path,
    ["--output", join(dir.path, "program")],
    undefined,
    (args) => args.includes("--outdir") ? { success: false, stderr } : {},
  );
  assert.equal(code, 1);
  assert.match(
    complaints.join("\n"),
    /^error: Cannot load the packages of model-sync: Import "a" not a dependency: .{0,300}…\. .*$/,
  );
  assert.ok(complaints.join("").length < 500);
});

Deno.test("an installation keeps only the files of a package that the program loads", () => {
  const files = {
    "hono/dist/hono.js": true,
    "hono/dist/hono.d.ts": false,
    "hono/dist/cjs/hono.js": false,
    "hono/docs/a.md": false,
    "onnxruntime-web/dist/ort.node.min.mjs": true,
    "onnxruntime-web/dist/ort.all.mjs": false,
    "onnxruntime-web/dist/ort-wasm-simd-threaded.wasm": true,
    "onnxruntime-web/dist/ort-wasm-simd-threaded.jsep.wasm": false,
  };
  assert.deepEqual(Object.fromEntries(Object.keys(files).map((name) => [name, isLoaded(name)])), files);
});
