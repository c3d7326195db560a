import assert from "node:assert/strict";
import { basename, join } from "node:path";
import * as z from "zod";
import { Validate } from "../../lib/config/sections/validate.ts";
import { FailedError } from "../../lib/core/errors.ts";
import type { FileSystem } from "../../lib/core/files.ts";
import { sha256Hex } from "../../lib/core/hash.ts";
import type { SpawnProcess } from "../../lib/core/subprocess.ts";
import { type Checker, type ValidationRequest } from "../../lib/validators/checker.ts";
import { CHECKERS } from "../../lib/validators/checkers.ts";
import { InvalidModelError } from "../../lib/validators/invalid_model.ts";
import { TryRequest } from "../../lib/validators/onnx/try_protocol.ts";
import { FileChecks } from "../../lib/validators/file_checks.ts";
import { validateRelease } from "../../lib/validators/validate_release.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { gguf, modelFiles, safetensors, stagedFile } from "../helpers/model_files.ts";
import { rawZip } from "../helpers/raw_zip.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { classifier } from "../helpers/onnx_bytes.ts";
import { testContext } from "../helpers/test_context.ts";

type Contents = Readonly<Record<string, string | Uint8Array>>;

interface World {
  readonly files: Contents;
  readonly active?: Contents;
  /** Default: under other rules. */
  readonly activePassed?: ValidationRequest["activePassed"];
  readonly settings?: z.input<typeof Validate>;
  readonly checkers?: readonly Checker[];
}

/** Validates a release of these files. @returns the log without debug messages */
async function validate(
  { files, active, activePassed = "other-rules", settings = {}, checkers }: World,
): Promise<string[]> {
  using root = tempDir();
  const staged = (folder: string, contents: Contents) => ({
    dir: join(root.path, folder),
    files: Object.entries(contents).map(([path, content]) =>
      stagedFile(join(root.path, folder), path, content)
    ),
  });
  const request: ValidationRequest = {
    ...staged("new", files),
    digest: "sha256:0123",
    createdAt: "2026-11-24T12:00:00Z",
    active: active === undefined ? undefined : staged("active", active),
    activePassed,
    settings: Validate.parse(settings),
  };
  const context = testContext({ clock: new FakeClock("2026-11-24T12:00:00Z") });
  await validateRelease(context, request, new FileChecks(context, request, checkers));
  return context.log.lines.filter((line) => !line.startsWith("debug"));
}

const TENSORS = safetensors({ w: ["F32", [2], 8] });

/** A format of files that begin with "P:" or end in `.p`; it refuses those that contain "bad". */
function madeUp(passesUnchanged: boolean, seen: string[] = []): Checker {
  return {
    format: "made-up",
    extensions: [".p"],
    passesUnchanged,
    looksLike: (head) => new TextDecoder().decode(head).startsWith("P:"),
    check({ file, before }) {
      seen.push(`${file.path}${before === undefined ? "" : " again"}`);
      if (Deno.readTextFileSync(file.location).includes("bad")) {
        throw new InvalidModelError(file.path, "it is bad", { hint: "be good" });
      }
    },
  };
}

Deno.test("a refused file refuses its release, whatever object the changes of the release have for it", async () => {
  using root = tempDir();
  const dir = join(root.path, "new");
  const files = modelFiles(dir, { "a.json": "{", "b.json": "{}" });
  const before = modelFiles(join(root.path, "active"), { "a.json": "[]", "b.json": "{}" });
  const others = { files: files.slice(0, 1).map((file) => ({ ...file })), findEnding: () => [] };
  const active = { dir: join(root.path, "active"), files: before };
  const passed = { has: ({ path }: { readonly path: string }) => path !== "a.json", hasSameRules: true };
  const known: Partial<ValidationRequest>[] = [
    { active: { ...active, others }, activePassed: "same-rules" },
    { active: undefined, passed: { ...passed, others } },
  ];
  for (const part of known) {
    const request: ValidationRequest = {
      dir,
      files,
      digest: "sha256:0123",
      createdAt: "2026-11-24T12:00:00Z",
      active,
      settings: Validate.parse({}),
      ...part,
    };
    await assert.rejects(validateRelease(testContext(), request), { path: "a.json" });
    const [changed] = files;
    const checks = new FileChecks(testContext(), request);
    if (changed !== undefined) {
      await checks.checkBytes("a.json", new TextEncoder().encode("{"), changed.sha256);
    }
    await assert.rejects(checks.finish(), { path: "a.json" });
  }
});

Deno.test("a release of good models of every format passes without a message", async () => {
  const files = {
    "a.safetensors": TENSORS,
    "b.GGUF": gguf(),
    "deep/c.json": "{}",
    "metadata.json": '{"sha256_checksum": null}',
    "d.joblib": new Uint8Array([0x80, 4, 0x4e, 0x2e]),
    "e.onnx": classifier([[1, 2], [3, 4]]),
    "empty": "",
  };
  assert.deepEqual(await validate({ files }), []);
  assert.deepEqual(await validate({ files, active: files }), []);
});

Deno.test("each format is refused by its own rules, under any case of its name", async () => {
  const refused: Contents = {
    "a.SafeTensors": "{}",
    "b.Gguf": "<html>",
    "c.JSON": "{",
    "d.safetensors": "",
  };
  for (const [path, content] of Object.entries(refused)) {
    await assert.rejects(validate({ files: { [path]: content } }), (error) => {
      assert.ok(error instanceof InvalidModelError);
      assert.equal(error.path, path);
      return true;
    });
  }
});

Deno.test("a format is recognised by content, whatever the name of the file", async () => {
  const broken = TENSORS.subarray(0, -1);
  await assert.rejects(validate({ files: { "weights.bin": broken } }), { path: "weights.bin" });
  await assert.rejects(validate({ files: { blob: gguf({ version: 1 }) } }), { path: "blob" });
  // A file named JSON has to be JSON, and also valid in every other format that its content looks like.
  await assert.rejects(validate({ files: { "m.json": gguf() } }), { problem: /not JSON/ });
  const seen: string[] = [];
  const checkers = [...CHECKERS, madeUp(false, seen)];
  await assert.rejects(validate({ files: { "m.json": '"P:"', "n.json": "P:" }, checkers }), {
    path: "n.json",
  });
  await validate({ files: { "m.bin": "P:", "n.p": "nothing of the kind", "o.txt": "Q:" }, checkers });
  assert.deepEqual(seen.sort(), ["m.bin", "n.p"]);
});

Deno.test("a file has to pass as every format of its content, even if its name matches one of them", async () => {
  const everything: Checker = {
    ...madeUp(false),
    extensions: [],
    looksLike: () => true,
    check: ({ file: { path } }) => {
      throw new InvalidModelError(path, "it is another thing as well");
    },
  };
  for (const name of ["m.safetensors", "m.bin"]) {
    await assert.rejects(validate({ files: { [name]: TENSORS }, checkers: [...CHECKERS, everything] }), {
      problem: "it is another thing as well",
    });
  }
});

Deno.test("a file that is unchanged since the active release is checked only for formats whose settings may have changed", async () => {
  const seen: string[] = [];
  const active = { "m.p": "P: bad", "n.p": "P: old", "o.safetensors": "broken" };
  const files = { "m.p": "P: bad", "n.p": "P: new", "o.safetensors": "broken", "new/m.p": "P: fine" };
  await validate({ files, active, checkers: [...CHECKERS, madeUp(true, seen)] });
  // Files are checked concurrently.
  assert.deepEqual(seen.toSorted(), ["n.p again", "new/m.p"]);
  await assert.rejects(validate({ files, active, checkers: [madeUp(false)] }), { path: "m.p" });
  await assert.rejects(validate({ files, active, activePassed: "unknown", checkers: [madeUp(true)] }), {
    path: "m.p",
  });
});

Deno.test("if several files are refused, the error names all of them, the first one first, and each is logged", async () => {
  using root = tempDir();
  const names = ["c.p", "a.json", "b.p", ...Array.from({ length: 30 }, (_, index) => `d${index}.p`)];
  const files = names.map((name) => stagedFile(root.path, name, "bad"));
  const context = testContext();
  const request: ValidationRequest = {
    files,
    dir: root.path,
    digest: "d",
    createdAt: "2026-11-24T12:00:00Z",
    active: undefined,
    settings: Validate.parse({}),
  };
  await assert.rejects(
    validateRelease(context, request, new FileChecks(context, request, [...CHECKERS, madeUp(false)])),
    (error) => {
      assert.ok(error instanceof InvalidModelError);
      assert.equal(
        error.message,
        "Cannot activate c.p: it is bad (and 32 more refused: a.json, b.p, d0.p, d1.p, d2.p, ...)",
      );
      assert.equal(error.hint, "be good");
      return true;
    },
  );
  const logged = context.log.lines.filter((line) => line.startsWith("error"));
  assert.equal(logged.length, 20);
  assert.match(logged[1] ?? "", /^error Cannot activate a\.json: it is not JSON/);
});

Deno.test("an unexpected error in a check is rethrown unchanged after all other checks have ended", async () => {
  let running = 0;
  const broken: Checker = {
    ...madeUp(false),
    async check({ file }) {
      running++;
      await Promise.resolve();
      running--;
      if (file.path === "b.p") throw new FailedError("Cannot read", { code: "BROKEN" });
    },
  };
  const files = { "a.p": "", "b.p": "", "c.p": "", "d.p": "" };
  await assert.rejects(validate({ files, checkers: [broken] }), { code: "BROKEN" });
  assert.equal(running, 0);
});

/** Validates ONNX models on a machine with this many cores. @returns how many processes were started, and at once */
async function trialsOf(
  contents: Contents,
  active: Contents | undefined,
  cores: number,
  activePassed: ValidationRequest["activePassed"] = "other-rules",
) {
  using root = tempDir();
  const written = (folder: string, files: Contents) => ({
    dir: join(root.path, folder),
    files: modelFiles(join(root.path, folder), files),
  });
  let [started, running, most] = [0, 0, 0];
  const spawn: SpawnProcess = ({ stdin }) => {
    started += 1;
    most = Math.max(most, ++running);
    const { memoryBytes } = TryRequest.parse(JSON.parse(String(stdin)));
    assert.equal(memoryBytes, Math.min(2, 4 / cores) * 1024 ** 3);
    async function* answer(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
      const ran = { outcome: "ran", vectors: 8, isEarly: false, isShortOfMemory: false };
      await new Promise((resolve) => setTimeout(resolve));
      running -= 1;
      yield new TextEncoder().encode(
        `started\n${JSON.stringify({ ...ran, drifts: [], unjudged: [], notes: [] })}\n`,
      );
    }
    return { stdout: answer(), exit: Promise.resolve({ code: 0, stderr: "" }) };
  };
  const request: ValidationRequest = {
    ...written("new", contents),
    digest: "d",
    createdAt: "2026-11-24T12:00:00Z",
    active: active === undefined ? undefined : written("active", active),
    activePassed,
    settings: Validate.parse({}),
  };
  const context = testContext({ spawn });
  await validateRelease(context, request, new FileChecks(context, request, CHECKERS, cores));
  return { started, most };
}

/** A request for these files, and checks of it that report each file that they open. */
function checksOf(root: string, files: Contents) {
  const request: ValidationRequest = {
    files: modelFiles(root, files),
    dir: root,
    digest: "d",
    createdAt: "2026-11-24T12:00:00Z",
    active: undefined,
    settings: Validate.parse({}),
  };
  const opened: string[] = [];
  const openSync: FileSystem["openSync"] = (path, options) => {
    opened.push(basename(String(path)));
    return Deno.openSync(path, options);
  };
  const context = testContext({ fs: { ...Deno, openSync } });
  const checks = new FileChecks(context, request);
  const checkBytes = async (names: readonly string[]) => {
    for (const { path, location, sha256 } of request.files) {
      if (names.includes(path)) await checks.checkBytes(path, Deno.readFileSync(location), sha256);
    }
  };
  return { context, request, checks, checkBytes, opened };
}

const PICKLE = new Uint8Array([0x80, 4, 0x4e, 0x2e]);

Deno.test("several checks of a small file open it once", async () => {
  using root = tempDir();
  const files = { "a.pkl": PICKLE, "b.gguf": gguf(), "c.safetensors": TENSORS, "d.json": "{}", "e.npy": "e" };
  const { context, request, checks, opened } = checksOf(root.path, files);
  await validateRelease(context, request, checks);
  assert.deepEqual(opened, Object.keys(files));
});

Deno.test("a file whose bytes were checked in memory is not read from the disk, and is refused for the same reason", async () => {
  using root = tempDir();
  const files = {
    "a.pkl": PICKLE,
    "b.gguf": gguf(),
    "c.safetensors": TENSORS,
    "d.json": "{}",
    "e.npz": rawZip([{ name: "e.npy", content: "e" }]),
  };
  const good = checksOf(root.path, files);
  await good.checkBytes(Object.keys(files));
  await validateRelease(good.context, good.request, good.checks);
  assert.deepEqual(good.opened, []);

  const broken = { ...files, "b.gguf": "<html>", "d.json": "{" };
  const refusals = await Promise.all([Object.keys(broken), []].map(async (inMemory) => {
    const bad = checksOf(root.path, broken);
    await bad.checkBytes(inMemory);
    assert.deepEqual(bad.opened, []);
    const refusal = await validateRelease(bad.context, bad.request, bad.checks).then(() => "", String);
    return [refusal, bad.opened.length];
  }));
  const [early, late] = refusals;
  assert.match(String(early?.[0]), /b\.gguf: it is not a valid GGUF file.*\(and 1 more refused: d\.json\)/);
  assert.deepEqual(early, [late?.[0], 0]);
  assert.deepEqual(late?.[1], Object.keys(broken).length);
});

Deno.test("bytes that are not those of the release, and models that another program loads, are checked on the disk", async () => {
  using root = tempDir();
  const { context, request, checks, opened } = checksOf(root.path, { "a.json": "{}", "b.onnx": "no model" });
  const [json, onnx] = request.files;
  assert.ok(json !== undefined && onnx !== undefined);
  await checks.checkBytes("a.json", new TextEncoder().encode("{"), await sha256Hex("{"));
  await checks.checkBytes("z.json", new TextEncoder().encode("{"), json.sha256);
  await checks.checkBytes("b.onnx", new TextEncoder().encode("no model"), onnx.sha256);
  assert.deepEqual(opened, []);
  await assert.rejects(validateRelease(context, request, checks), { path: "b.onnx" });
  assert.deepEqual([...new Set(opened)], ["a.json", "b.onnx"]);
});

Deno.test("bytes of another size than the manifest says are not checked: the size limits the work", async () => {
  using root = tempDir();
  const file = stagedFile(root.path, "a.p", "P:");
  const { request } = checksOf(root.path, {});
  const seen: string[] = [];
  for (const size of [file.size + 1, file.size]) {
    const checks = new FileChecks(testContext(), { ...request, files: [{ ...file, size }] }, [
      madeUp(false, seen),
    ]);
    await checks.checkBytes("a.p", Deno.readFileSync(file.location), file.sha256);
    assert.deepEqual(seen, size === file.size ? ["a.p"] : []);
  }
});

Deno.test("as many models are tried at once as there are cores, and unchanged ones that passed not at all", async () => {
  const models = (seed: number) =>
    Object.fromEntries(
      Array.from({ length: 9 }, (_, index) => [`${index}.onnx`, classifier([[seed, index], [3, 4]])]),
    );
  assert.deepEqual(await trialsOf(models(1), undefined, 1), { started: 9, most: 1 });
  assert.deepEqual(await trialsOf(models(1), undefined, 4), { started: 9, most: 4 });
  const changed = { ...models(1), "3.onnx": classifier([[5, 5], [3, 4]]) };
  assert.deepEqual(await trialsOf(changed, models(1), 4), { started: 1, most: 1 });
  assert.deepEqual(await trialsOf(models(1), models(1), 4, "unknown"), { started: 9, most: 4 });
});

Deno.test("the order is rules, metadata.json, files, and last the user's command", async () => {
  const wrong = "0".repeat(64);
  const files: Record<string, string> = {
    "m.safetensors": "broken",
    "metadata.json": JSON.stringify({ sha256_checksum: wrong }),
  };
  const settings = { required_files: ["x"], validate_command: ["sh", "-c", "exit 7"] };
  await assert.rejects(validate({ files, settings }), { problem: /no file matches "x"/ });
  files["x"] = "";
  await assert.rejects(validate({ files, settings }), {
    path: "metadata.json",
    exitCode: 5,
    code: "VALIDATION_FAILED",
    problem: new RegExp(
      `its sha256_checksum is ${wrong}, but m\\.safetensors has SHA-256 [0-9a-f]{64} and x has`,
    ),
  });
  files["metadata.json"] = "{}";
  await assert.rejects(validate({ files, settings }), { path: "m.safetensors" });
  delete files["m.safetensors"];
  await assert.rejects(validate({ files, settings }), { problem: /exit code 7/ });
  await validate({ files, settings: { ...settings, validate_command: ["true"] } });
});

Deno.test("max_age_hours uses the clock of the run, and sizes are compared with the active release", async () => {
  const files = { a: "12345" };
  await validate({ files, settings: { max_age_hours: 0.01 } });
  await assert.rejects(validate({ files, active: { a: "1" }, settings: { max_growth: 1 } }), {
    problem: /400 % more/,
  });
});

Deno.test("with validation disabled, everything passes", async () => {
  await validate({ files: { "a.json": "{" }, settings: { enabled: false, required_files: ["x"] } });
});

Deno.test("an interrupted run stops before the next file", async () => {
  using root = tempDir();
  const controller = new AbortController();
  const reason = new Error("stopped");
  controller.abort(reason);
  const request: ValidationRequest = {
    files: [stagedFile(root.path, "a.json", "{")],
    dir: root.path,
    digest: "d",
    createdAt: "2026-11-24T12:00:00Z",
    active: undefined,
    settings: Validate.parse({}),
  };
  const context = testContext({ signal: controller.signal });
  await assert.rejects(validateRelease(context, request), (error) => error === reason);
});

Deno.test("a release of several pickles is refused with the imports of all of them", async () => {
  const pickle = (name: string) => new TextEncoder().encode(`cbot.models\n${name}\n.`);
  await assert.rejects(() => validate({ files: { "a.pkl": pickle("A"), "b.pkl": pickle("B") } }), {
    hint: /under activation\.validate\.pickle: allow: \[bot\.models\.A, bot\.models\.B\]$/,
  });
});
