import assert from "node:assert/strict";
import { join } from "node:path";
import { readHistory } from "../../lib/store/history.ts";
import { openStore } from "../../lib/store/store.ts";
import { runCli, spawnCli } from "../helpers/run_cli.ts";
import { testKey } from "../helpers/signing.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { runJson, world } from "../helpers/seed_world.ts";
import { git } from "../helpers/test_git.ts";

const PAIR = ["--private-key", "key.pem", "--public-key", "pub.pem"];
const SIGNATURE = ["--signature", "models/model.sig"];

Deno.test("keys generates a pair, signs a folder and verifies it, under its own permission set", async () => {
  using dir = tempDir();
  writeFiles(dir.path, {
    "models/BTC/rf.onnx": "one",
    "models/.hidden": "two",
    "old.pem": testKey().publicPem,
  });
  const run = (...args: string[]) => spawnCli("keys", args, { cwd: dir.path, entry: "script" });
  const generated = await run("generate", ...PAIR, "--json");
  assert.equal(generated.code, 0, generated.stderr);
  const { keyHint } = JSON.parse(generated.stdout);
  assert.deepEqual(JSON.parse(generated.stdout), {
    privateKey: "key.pem",
    publicKey: "pub.pem",
    keyHint,
    warnings: [],
  });
  const again = await run("generate", ...PAIR, "--json");
  assert.deepEqual([again.code, JSON.parse(again.stderr).code], [2, "FILE_EXISTS"]);

  const signed = await run("sign", "--private-key", "key.pem", ...SIGNATURE, "models", "--json");
  assert.equal(signed.code, 0, signed.stderr);
  assert.deepEqual(JSON.parse(signed.stdout), {
    signed: true,
    folder: "models",
    signature: "models/model.sig",
    files: 2,
    keyHint,
    warnings: [],
  });
  const trusted = ["--public-key", "old.pem", "--public-key", "pub.pem", ...SIGNATURE, "models"];
  const verified = await run("verify", ...trusted);
  assert.equal(verified.code, 0, verified.stderr);
  assert.match(verified.stdout, /the signature of models by pub\.pem is valid: 2 files, every byte read/);
  assert.deepEqual(JSON.parse((await run("verify", ...trusted, "--json")).stdout), {
    verified: true,
    folder: "models",
    signature: "models/model.sig",
    files: 2,
    keyHint,
    warnings: [],
  });

  const stranger = await run("verify", "--public-key", "old.pem", ...SIGNATURE, "models", "--json");
  assert.deepEqual([stranger.code, JSON.parse(stranger.stderr).code], [5, "SIGNATURE_INVALID"]);
  writeFiles(dir.path, { "models/BTC/rf.onnx": "two" });
  const tampered = await run("verify", ...trusted, "--json");
  assert.deepEqual([tampered.code, JSON.parse(tampered.stderr).code], [5, "SIGNATURE_MISMATCH"]);
  const nothing = await run("verify", "--public-key", "pub.pem", "--signature", "none", "models", "--json");
  assert.deepEqual([nothing.code, JSON.parse(nothing.stderr).code], [2, "SIGNATURE_MISSING"]);
});

Deno.test("publish signs with the configured key, and pull and verify require the signature", async () => {
  using dir = tempDir();
  const { trainer, bot } = world(dir);
  const keys = (...args: string[]) => runCli("keys", args, { cwd: dir.path });
  assert.equal((await keys("generate", ...PAIR)).code, 0);
  const [key, trust] = [join(dir.path, "key.pem"), join(dir.path, "pub.pem")];
  const SIGN = { MODEL_SYNC_SIGNING_PRIVATE_KEY: key, MODEL_SYNC_SIGNING_VALID_DAYS: "7" };
  const TRUST = { MODEL_SYNC_SIGNING_PUBLIC_KEYS: trust, MODEL_SYNC_SIGNING_REQUIRED: "true" };
  const run = async (cwd: string, env: Record<string, string>, command: string, ...args: string[]) => {
    const result = await runCli(command, [...args, "--json"], { cwd, env });
    return { code: result.code, told: JSON.parse(result.code === 0 ? result.stdout : result.stderr) };
  };
  await runJson(trainer, "publish", "--skip-training");
  const unsigned = await run(bot, TRUST, "pull");
  assert.deepEqual([unsigned.code, unsigned.told.code], [5, "SIGNATURE_MISSING"]);
  const preview = await run(bot, TRUST, "pull", "--dry-run");
  assert.deepEqual([preview.code, preview.told.code], [5, "SIGNATURE_MISSING"]);

  // The release that is there is signed, too, once there is a key; after that nothing is to do.
  const planned = await run(trainer, SIGN, "publish", "--skip-training", "--dry-run");
  assert.deepEqual([planned.told.outcome, planned.told.sequence], ["published", 2]);
  const first = await run(trainer, SIGN, "publish", "--skip-training");
  assert.deepEqual([first.told.outcome, first.told.sequence, first.told.changed], ["published", 2, 0]);
  const second = await run(trainer, SIGN, "publish", "--skip-training");
  assert.deepEqual([second.told.outcome, second.told.sequence], ["unchanged", 2]);
  const replanned = await run(trainer, SIGN, "publish", "--skip-training", "--dry-run");
  assert.equal(replanned.told.outcome, "unchanged");
  assert.equal((await run(bot, TRUST, "pull")).told.outcome, "activated");
  assert.equal((await run(bot, TRUST, "pull")).told.outcome, "unchanged");

  const audit = await run(bot, TRUST, "verify");
  assert.deepEqual([audit.code, audit.told.signature], [0, "verified"]);
  const store = join(bot, ".model-sync/releases");
  const [signature = ""] = Array.from(Deno.readDirSync(store), ({ name }) => name).filter((name) =>
    name.endsWith(".sig")
  );
  const text = Deno.readTextFileSync(join(store, signature));
  Deno.writeTextFileSync(join(store, signature), text.replace(/"sig":"M/, '"sig":"N'));
  const damaged = await runCli("verify", [], { cwd: bot, env: TRUST });
  assert.equal(damaged.code, 5);
  assert.match(damaged.stdout, /model\.sig is not valid: .*it is not a signature by .*pub\.pem/);
});

Deno.test("a private key that cannot be used stops publish, train and hf-upload before anything is published, and that is on record", async () => {
  using dir = tempDir();
  const { trainer, registry } = world(dir);
  writeFiles(dir.path, { "garbled.pem": "garbled", "exposed.pem": testKey().privatePem });
  Deno.chmodSync(join(dir.path, "garbled.pem"), 0o600);
  Deno.chmodSync(join(dir.path, "exposed.pem"), 0o644);
  const bad: readonly (readonly [string, string])[] = [
    ["none.pem", "KEY_MISSING"],
    ["garbled.pem", "KEY_INVALID"],
    ...(Deno.build.os === "windows" ? [] : [["exposed.pem", "KEY_EXPOSED"] as const]),
  ];
  for (const [file, code] of bad) {
    const env = {
      MODEL_SYNC_SIGNING_PRIVATE_KEY: join(dir.path, file),
      HF_TOKEN: "hf_x",
      MODEL_SYNC_HUGGINGFACE_REPO_ID: "you/models",
    };
    for (const command of ["publish", "train", "hf-upload"]) {
      const flags = command === "hf-upload" ? [] : ["--skip-training"];
      const result = await runCli(command, [...flags, "--json"], { cwd: trainer, env });
      const told = JSON.parse(result.stderr);
      assert.deepEqual([result.code, told.code], [2, code], `${command} with ${file}`);
      assert.ok(told.message.includes(file) && told.hint !== null);
    }
  }
  const runs = readHistory(openStore(Deno, { modelsDir: join(trainer, "models") }), 99);
  assert.equal(runs.length, bad.length * 3);
  for (const { outcome, error } of runs) assert.match(`${outcome} ${error?.code}`, /^failed KEY_/);
  assert.equal(git(registry, "for-each-ref"), "");
});
