import assert from "node:assert/strict";
import { join } from "node:path";
import { z } from "zod";
import { clonedCommit } from "../../cli/_version.ts";
import { PROJECT } from "../helpers/run_cli.ts";
import { readFiles, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { classifier, endless } from "../helpers/onnx_bytes.ts";
import { bareRepository, GIT_ENV } from "../helpers/test_git.ts";

/**
 * The released program. `DENORT_BIN` and `DENO_COMPILE_BIN` name a runtime stub and the Deno that goes with it
 * where Deno's own download site cannot be reached.
 */
interface Build {
  readonly dir: ReturnType<typeof tempDir>;
  readonly path: string;
  /** Why it was not built; a compile error is not accepted as a reason. */
  readonly missing: string | undefined;
}

const { version, tasks: { compile } } = z.object({
  version: z.string(),
  tasks: z.object({ compile: z.object({ command: z.string().startsWith("deno run ") }) }),
}).parse(JSON.parse(Deno.readTextFileSync(join(PROJECT, "deno.json"))));

/** Runs the task `compile`, but for where the program goes. */
function build(): Build {
  const dir = tempDir();
  const path = join(dir.path, Deno.build.os === "windows" ? "model-sync.exe" : "model-sync");
  const args = compile.command.split(" ").slice(1).map((arg) => arg === "dist/model-sync" ? path : arg);
  assert.ok(args.includes(path));
  const result = new Deno.Command(Deno.execPath(), {
    args,
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
const SKIPPED = BUILD.missing === undefined ? "" : ` (cannot be built here: ${BUILD.missing})`;
globalThis.addEventListener("unload", () => BUILD.dir[Symbol.dispose]());

/** Runs the executable as a user would, in a folder, with nothing of Deno on its PATH. */
function runAny(cwd: string, ...args: string[]): { code: number; stdout: string; stderr: string } {
  const { code, stdout, stderr } = new Deno.Command(BUILD.path, {
    args: [...args, "--json"],
    cwd,
    env: {
      ...GIT_ENV,
      NO_COLOR: "1",
      // Without a cache that it could take ONNX Runtime from.
      DENO_DIR: join(cwd, "no-cache"),
      MODEL_SYNC_ACTIVATION_VALIDATE_ONNX_TIMEOUT_SECONDS: "5",
    },
    stdin: "null",
  }).outputSync();
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

function run(cwd: string, ...args: string[]): Record<string, unknown> {
  const { code, stdout, stderr } = runAny(cwd, ...args);
  assert.equal(code, 0, `${args.join(" ")}: ${stderr}`);
  return z.record(z.string(), z.unknown()).parse(JSON.parse(stdout));
}

Deno.test({
  name: `the executable publishes, pulls and rolls back${SKIPPED}`,
  ignore: BUILD.missing !== undefined,
  fn() {
    using dir = tempDir();
    const registry = bareRepository(join(dir.path, "registry.git"));
    const [trainer, bot] = ["trainer", "bot"].map((name) => join(dir.path, name));
    assert.ok(trainer !== undefined && bot !== undefined);
    const config = `model_sync: {repo_url: ${
      JSON.stringify(registry)
    }, publisher: {train_before_push: false}}\n`;
    for (const machine of [trainer, bot]) writeFiles(machine, { "configs/bot.yaml": config });

    writeFiles(trainer, { "models/BTC/rf.bin": "one", "models/ETH/rf.bin": "eth" });
    const first = run(trainer, "publish");
    assert.deepEqual([first["outcome"], first["sequence"], first["pushed"]], ["published", 1, true]);
    assert.equal(run(bot, "pull")["outcome"], "activated");

    writeFiles(trainer, { "models/BTC/rf.bin": "two" });
    const second = run(trainer, "publish");
    const pulled = run(bot, "pull");
    assert.deepEqual([pulled["release"], pulled["changed"]], [second["release"], 1]);
    assert.deepEqual(readFiles(join(bot, "models")), { "BTC/rf.bin": "two", "ETH/rf.bin": "eth" });

    // A process of its own tries the models: the executable again.
    const good = classifier([[1, 2], [3, 4]]);
    Deno.writeFileSync(join(trainer, "models/BTC/rf.onnx"), good);
    run(trainer, "publish");
    assert.equal(run(bot, "pull")["outcome"], "activated");
    for (
      const [name, model, problem] of [
        ["rf.onnx", classifier([[NaN, 2], [3, 4]]), /its output .*probabilities.* is NaN/],
        ["other.onnx", endless(), /did not load and compute it within 5 s/],
      ] as const
    ) {
      Deno.writeFileSync(join(trainer, "models/BTC/rf.onnx"), good);
      Deno.writeFileSync(join(trainer, "models/BTC", name), model);
      run(trainer, "publish");
      const refused = runAny(bot, "pull");
      assert.deepEqual([refused.code, /VALIDATION_FAILED/.test(refused.stderr)], [5, true], refused.stderr);
      assert.match(refused.stderr, problem);
    }
    run(bot, "rollback", "--to", String(second["release"]));

    const back = run(bot, "rollback", "--to", String(first["release"]));
    assert.deepEqual([back["outcome"], back["release"]], ["rolled-back", first["release"]]);
    assert.deepEqual(readFiles(join(bot, "models")), { "BTC/rf.bin": "one", "ETH/rf.bin": "eth" });
  },
});

Deno.test({
  name: `the executable knows its version and commit, and contains no test${SKIPPED}`,
  ignore: BUILD.missing !== undefined,
  fn() {
    const { stdout } = new Deno.Command(BUILD.path, { args: ["--version", "--json"] }).outputSync();
    const said = JSON.parse(new TextDecoder().decode(stdout));
    assert.deepEqual([said.name, said.version, said.commit], [
      "model-sync",
      version,
      clonedCommit(Deno, PROJECT) ?? null,
    ]);
    // Deno's runtime is 90 MB, the one form of ONNX Runtime that is used 13; all of its forms would add 125.
    const { size } = Deno.statSync(BUILD.path);
    assert.ok(size < 150 * 1024 * 1024, `${size} bytes`);
  },
});

Deno.test({
  name: `the executable serves the dashboard, with its stylesheet and its script${SKIPPED}`,
  ignore: BUILD.missing !== undefined || Deno.build.os === "windows",
  async fn() {
    using dir = tempDir();
    const child = new Deno.Command(BUILD.path, {
      args: ["dashboard", "--listen", "127.0.0.1:0"],
      cwd: dir.path,
      env: { ...GIT_ENV, NO_COLOR: "1", DENO_DIR: join(dir.path, "no-cache") },
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    let said = "";
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      said += text;
      if (said.includes("\n")) break;
    }
    const [address = ""] = /http:\S+/.exec(said) ?? [];
    const page = await (await fetch(address)).text();
    assert.match(page, /No node has reported yet/);
    for (const [path = ""] of page.matchAll(/\/static\/[^"]+/g)) {
      const file = await fetch(`${address}${path}`);
      assert.equal(file.status, 200, path);
      assert.notEqual((await file.text()).length, 0);
    }
    assert.match(page, /\/static\/islands\.js\?v=\w+.*|\/static\/style\.css\?v=\w+/);
    child.kill("SIGTERM");
    assert.equal((await child.status).code, 0);
  },
});
