import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { clonedCommit } from "../../cli/_version.ts";
import { VERSION } from "../../lib/core/version.ts";
import { REFUSED_CODE } from "../../configs/compile/bundle_scripts.ts";
import { EXECUTABLE, programJson, runProgram, startProgram, withExecutable } from "../helpers/executable.ts";
import { classifier, endless } from "../helpers/onnx_bytes.ts";
import { PROJECT } from "../helpers/run_cli.ts";
import { readFiles, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { bareRepository } from "../helpers/test_git.ts";

/** A larger executable has packed something that the program does not load. */
const BYTES_MAX = 130_000_000;

/** A library that shows a program another time. */
const FAKETIME = [
  "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
  "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
]
  .find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });

/** Returns the digits by which pages and log lines name the release of a command's `--json` object. */
function shortRelease(result: Readonly<Record<string, unknown>>): string {
  return String(result["release"]).replace("sha256:", "").slice(0, 12);
}

/** Loads the front page again with each change, as a browser does, until it has a text. A stream of changes ends in time. */
async function pageWith(address: string, text: string): Promise<string> {
  const changes = await fetch(`${address}/api/v1/live?since=`);
  let page = "";
  for await (const _change of changes.body ?? []) {
    page = await (await fetch(address)).text();
    if (page.includes(text)) return page;
  }
  assert.fail(`The page does not show ${text}: ${page}`);
}

Deno.test({
  ...withExecutable(
    "the executable publishes, pulls, refuses bad models, rolls back, shows that on its dashboard, and pulls on a cron schedule",
  ),
  async fn(t) {
    using dir = tempDir();
    const registry = bareRepository(join(dir.path, "registry.git"));
    const [trainer, bot] = [join(dir.path, "trainer"), join(dir.path, "bot")];
    const settings = {
      repo_url: registry,
      publisher: { train_before_push: false },
      client: { schedule: "* * * * *" },
    };
    writeFiles(bot, { "configs/bot.yaml": JSON.stringify({ model_sync: settings }) });
    const unchecked = { ...settings, activation: { validate: { enabled: false } } };
    writeFiles(trainer, {
      "configs/bot.yaml": JSON.stringify({ model_sync: unchecked }),
      "models/BTC/rf.bin": "one",
      "models/ETH/rf.bin": "eth",
    });
    const first = programJson(trainer, "publish");
    assert.deepEqual([first["outcome"], first["sequence"], first["pushed"]], ["published", 1, true]);
    assert.equal(programJson(bot, "pull")["outcome"], "activated");

    await t.step("the executable contains compiled code that its runtime accepts", () => {
      assert.ok(Buffer.from(Deno.readFileSync(EXECUTABLE.path)).includes(REFUSED_CODE));
      const { code, stderr } = runProgram(bot, ["status"]);
      assert.deepEqual([code, stderr], [0, ""]);
    });

    writeFiles(trainer, { "models/BTC/rf.bin": "two" });
    const good = classifier([[1, 2], [3, 4]]);
    Deno.writeFileSync(join(trainer, "models/BTC/rf.onnx"), good);
    const second = programJson(trainer, "publish");
    const pulled = programJson(bot, "pull");
    assert.deepEqual([pulled["release"], pulled["changed"]], [second["release"], 2]);
    assert.equal(readFiles(join(bot, "models"))["BTC/rf.bin"], "two");

    await t.step(
      "ONNX Runtime is inside, and refuses a model that computes NaN and one that never ends",
      () => {
        for (
          const [name, model, seconds, problem] of [
            ["rf.onnx", classifier([[NaN, 2], [3, 4]]), "60", /its output .*probabilities.* is NaN/],
            ["other.onnx", endless(), "5", /did not load and compute it within 5 s/],
          ] as const
        ) {
          Deno.writeFileSync(join(trainer, "models/BTC/rf.onnx"), good);
          Deno.writeFileSync(join(trainer, "models/BTC", name), model);
          programJson(trainer, "publish");
          const refused = runProgram(bot, ["pull", "--json"], {
            env: { MODEL_SYNC_ACTIVATION_VALIDATE_ONNX_TIMEOUT_SECONDS: seconds },
          });
          assert.deepEqual(
            [refused.code, /VALIDATION_FAILED/.test(refused.stderr)],
            [5, true],
            refused.stderr,
          );
          assert.match(refused.stderr, problem);
        }
      },
    );

    const back = programJson(bot, "rollback", "--to", String(first["release"]));
    assert.deepEqual([back["outcome"], back["release"]], ["rolled-back", first["release"]]);
    assert.deepEqual(readFiles(join(bot, "models")), { "BTC/rf.bin": "one", "ETH/rf.bin": "eth" });

    await t.step(
      "the dashboard shows the release, with stylesheet and script, from a database in a file",
      async () => {
        await using dashboard = startProgram(bot, ["dashboard", "--listen", "127.0.0.1:0"]);
        const [address] = await dashboard.until(/http:\/\/[\d.:]+/);
        const page = await pageWith(address, shortRelease(first));
        const assets = Array.from(page.matchAll(/\/static\/[^"]+/g), ([path]) => path);
        assert.deepEqual(assets.map((path) => path.replace(/\?.*/, "")).sort(), [
          "/static/islands.js",
          "/static/style.css",
        ]);
        for (const path of assets) {
          const file = await fetch(`${address}${path}`);
          assert.deepEqual([file.status, (await file.text()).length > 1_000], [200, true], path);
        }
        assert.equal(await dashboard.stop(), 0);
        assert.ok(Deno.statSync(join(bot, ".model-sync/dashboard/kv.sqlite3")).size > 0);
      },
    );

    await t.step({
      name: `the daemon pulls at the minute of its cron expression${
        FAKETIME === undefined ? " (needs faketime)" : ""
      }`,
      ignore: FAKETIME === undefined,
      async fn() {
        writeFiles(trainer, { "models/BTC/rf.bin": "three" });
        for (const name of ["rf.onnx", "other.onnx"]) Deno.removeSync(join(trainer, "models/BTC", name));
        const third = programJson(trainer, "publish");
        await using daemon = startProgram(bot, ["daemon", "--role", "client"], {
          LD_PRELOAD: FAKETIME ?? "",
          // A few seconds before a full minute. On a busy machine, it may be the next one.
          FAKETIME: "@2030-01-01 06:00:54",
          FAKETIME_DONT_FAKE_MONOTONIC: "1",
          TZ: "UTC",
        });
        await daemon.until(/next client run at 2030-01-01T06:0\d:00Z/);
        await daemon.until(new RegExp(`activating release ${shortRelease(third)}[^]*next client run at`));
        assert.equal(await daemon.stop(), 0);
        assert.equal(readFiles(join(bot, "models"))["BTC/rf.bin"], "three");
      },
    });
  },
});

Deno.test({
  ...withExecutable(
    "the executable knows its version and commit, has help without Deno, packs no package of the tests, and is under 130 MB",
  ),
  fn() {
    using dir = tempDir();
    const { name, version, commit } = programJson(dir.path, "--version");
    assert.deepEqual([name, version, commit], ["model-sync", VERSION, clonedCommit(Deno, PROJECT) ?? null]);
    const { code, stdout } = runProgram(dir.path, ["--help"]);
    assert.deepEqual([code, /^Usage: model-sync/m.test(stdout)], [0, true], stdout);
    const program = Buffer.from(Deno.readFileSync(EXECUTABLE.path).buffer).toString("latin1");
    // The index of the packed files is JSON.
    const isPacked = (folder: string) => program.includes(`"Dir":{"n":"${folder}"`);
    // The packages are in the bundle.
    assert.deepEqual(["hono", "onnxruntime-web", "program", "onnx"].map(isPacked), [
      false,
      false,
      true,
      true,
    ]);
    const ofTests = [
      "ajv",
      "axe-core",
      "fast-check",
      "openapi",
      "openapi-types",
      "playwright-core",
      "smtp-server",
      "tests",
    ];
    assert.deepEqual(ofTests.filter(isPacked), []);
    const size = program.length;
    assert.ok(size < BYTES_MAX, `${size} bytes: it packs something that the program does not load`);
  },
});
