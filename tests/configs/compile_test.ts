import assert from "node:assert/strict";
import { brotliDecompressSync } from "node:zlib";
import { PACKED_WASM } from "../../lib/validators/onnx/ort_package.ts";
import { packedRuntime } from "../../configs/compile/packed_runtime.ts";
import { createHash } from "node:crypto";
import { basename, join } from "node:path";
import { compile } from "../../configs/compile.ts";
import type { ProgramResult } from "../../configs/compile/compile_tools.ts";
import { needlessFiles } from "../../configs/compile/needless_files.ts";
import { packedSizes, sizeReport } from "../../configs/compile/size_report.ts";
import { REFUSED_CODE } from "../../configs/compile/start_script.ts";
import { hostTarget } from "../../configs/compile/targets.ts";
import { readFiles, tempDir, writeFiles } from "../helpers/temp_dir.ts";

const DONE: ProgramResult = { success: true, stdout: "", stderr: "" };

/** A call of `deno compile`. */
interface Compiled {
  readonly target: string;
  readonly output: string;
  readonly entry: string;
  readonly dropped: readonly string[];
}

/** Runs the task `compile` with a compiler that answers as told, and otherwise writes the executable's target into it. */
async function runCompile(
  folder: string,
  args: readonly string[],
  answer: (compiled: Compiled, calls: number) => string | undefined = () => undefined,
  others: (args: readonly string[]) => Partial<ProgramResult> = () => ({}),
) {
  const compiled: Compiled[] = [];
  const included: string[] = [];
  const [printed, complaints]: [string[], string[]] = [[], []];
  const lock = JSON.stringify({ version: "5", specifiers: {}, npm: {} });
  writeFiles(folder, {
    "deno.json": `{"imports": {}}`,
    "deno.lock": lock,
    "lib/validators/onnx/deno.lock": lock,
  });
  const code = await compile({
    project: folder,
    deno: "deno",
    compiler: "compiler",
    run(program, rest, dropped = []) {
      const valueOf = (option: string) => rest[rest.indexOf(option) + 1] ?? "";
      if (program === "deno") {
        if (rest[0] === "bundle") {
          Deno.writeTextFileSync(
            join(valueOf("--outdir"), "executable.js"),
            "export {\n  start\n};\nfunction start() {}\n",
          );
        }
        const json = rest.join(" ") === "info --json"
          ? { denoDir: join(folder, "cache") }
          : { modules: [], npmPackages: {} };
        return Promise.resolve({ ...DONE, stdout: JSON.stringify(json), ...others(rest) });
      }
      if (program.includes("write_code")) return Promise.resolve({ ...DONE, ...others(rest) });
      if (program !== "compiler") {
        return Promise.resolve({ ...DONE, stdout: "model-sync 1.2.3\n", ...others(rest) });
      }
      included.push(...rest.filter((_, index) => rest[index - 1] === "--include"));
      const call = { target: valueOf("--target"), output: valueOf("-o"), entry: rest.at(-1) ?? "", dropped };
      compiled.push(call);
      const failure = answer(call, compiled.length);
      if (failure !== undefined) return Promise.resolve({ success: false, stdout: "", stderr: failure });
      Deno.writeTextFileSync(call.output, call.target);
      return Promise.resolve(DONE);
    },
    print: (line) => printed.push(line),
    complain: (line) => complaints.push(line),
  }, args);
  return { code, compiled, included, printed, complaints };
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

Deno.test("only the executable of this machine contains compiled code: V8 has that of its own platform only", async () => {
  using dir = tempDir();
  const run = (target: string) =>
    runCompile(dir.path, ["--target", target, "--output", join(dir.path, "program")]);
  const folder = join(dir.path, "dist/program");
  const own = await run(HOST?.name ?? "");
  assert.ok(own.included.includes(folder));
  assert.match(
    Deno.readTextFileSync(join(folder, "load.js")),
    /cachedData = Deno\.readFileSync\(beside\("start\.bin"\)\)/,
  );
  assert.deepEqual(
    Object.keys(readFiles(join(dir.path, "dist"))).filter((name) => /write_code/.test(name)),
    [],
  );
  const other = await run(HOST?.name === "linux-arm64" ? "linux-x64" : "linux-arm64");
  assert.deepEqual([other.compiled.length, other.included.includes(folder)], [1, false]);
  assert.deepEqual(Object.keys(readFiles(folder)).sort(), ["executable.js", "run.js"]);
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

Deno.test("an executable of a clone contains its commit, and compile --help prints the options", async () => {
  using dir = tempDir();
  const commit = "1".repeat(40);
  writeFiles(dir.path, { ".git/HEAD": `${commit}\n` });
  const { code, included } = await runCompile(dir.path, ["--output", join(dir.path, "program")]);
  const file = included.find((path) => path.startsWith(dir.path) && path.endsWith("commit.txt"));
  assert.deepEqual([code, Deno.readTextFileSync(file ?? "")], [0, `${commit}\n`]);
  const help = await runCompile(dir.path, ["--help"]);
  assert.deepEqual([help.code, help.compiled], [0, []]);
  assert.match(help.printed.join("\n"), /--target/);
});

Deno.test("an executable contains only the files of a package that the program loads, and the package.json beside them", () => {
  using dir = tempDir();
  const large = "x".repeat(20_000);
  writeFiles(dir.path, {
    "hono/package.json": large,
    "hono/dist/hono.js": large,
    "hono/dist/hono.d.ts": large,
    "hono/dist/small.d.ts": "x",
    "hono/dist/cjs/hono.js": large,
    "hono/dist/cjs/package.json": "{}",
    "hono/docs/a.md": large,
    "onnxruntime-web/dist/ort.node.min.mjs": large,
    "onnxruntime-web/dist/ort.all.mjs": large,
    "onnxruntime-web/dist/ort-wasm-simd-threaded.wasm": large,
    "onnxruntime-web/dist/ort-wasm-simd-threaded.jsep.wasm": large,
    "types/package.json": "{}",
    "types/index.d.ts": large,
  });
  const packages = ["hono", "types", "onnxruntime-web"].map((name) => ({
    name,
    localPath: join(dir.path, name),
  }));
  assert.deepEqual(
    needlessFiles(packages),
    [
      "hono/dist/cjs",
      "hono/dist/hono.d.ts",
      "hono/docs",
      "onnxruntime-web/dist/ort-wasm-simd-threaded.jsep.wasm",
      "onnxruntime-web/dist/ort.all.mjs",
      "types",
    ].map((path) => join(dir.path, path)),
  );
});

Deno.test("an executable contains the runtime's WebAssembly compressed, in the place of the package's file", () => {
  using dir = tempDir();
  const localPath = join(dir.path, "onnxruntime-web");
  const wasm = join(localPath, "dist/ort-wasm-simd-threaded.wasm");
  writeFiles(dir.path, { "onnxruntime-web/dist/ort-wasm-simd-threaded.wasm": "code ".repeat(1_000) });
  const [, path = "", ...rest] = packedRuntime(dir.path, [{ name: "onnxruntime-web", localPath }]);
  assert.deepEqual([path, rest], [join(dir.path, PACKED_WASM), ["--exclude", wasm]]);
  const packed = Deno.readFileSync(path);
  assert.ok(packed.length < 100);
  assert.deepEqual(new Uint8Array(brotliDecompressSync(packed)), Deno.readFileSync(wasm));
  assert.deepEqual(packedRuntime(dir.path, [{ name: "onnxruntime-web", localPath: undefined }]), []);
});

Deno.test("the size report adds up what deno compile lists, by package, and the rest is the runtime", () => {
  const printed = `
Embedded Files

model-sync
├─┬ .deno_compile_node_modules (54.62MB - 53.74MB unique)
│ └─┬ localhost (54.62MB - 53.74MB unique)
│   ├─┬ @octokit (5.97MB - 5.62MB unique)
│   │ ├── rest/* (3.04MB - 3MB unique)
│   │ └── core/* (2.4MB)
│   ├── @types/node/* (2KB)
│   └── zod/4.6.7/* (5.93MB - 5MB unique)
├── cli/* (512KB)
└─┬ lib (512KB)
  ├── core/* (500KB)
  └── a.ts (12KB)

Files: 62.01MB
Metadata: 7.79KB
`;
  const sizes = packedSizes(printed);
  const MIB = 1024 ** 2;
  assert.deepEqual(Object.fromEntries(sizes), {
    "@octokit/rest": 3 * MIB,
    "@octokit/core": 2.4 * MIB,
    "@types/node": 2048,
    zod: 5 * MIB,
    "model-sync": MIB,
  });
  assert.deepEqual(sizeReport(100_000_000, sizes), [
    "   88.0 MB  Deno runtime",
    "    5.2 MB  zod",
    "    3.1 MB  @octokit/rest",
    "    2.5 MB  @octokit/core",
    "    1.0 MB  model-sync",
    "    0.0 MB  1 smaller package: @types/node",
  ]);
  assert.deepEqual(packedSizes("another format"), new Map());
});
