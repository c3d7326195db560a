import assert from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import { encodeOnnx, type Network } from "../../configs/demo/onnx.ts";
import { infer } from "../helpers/infer.ts";
import { PROJECT } from "../helpers/run_cli.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { GIT_ENV } from "../helpers/test_git.ts";

Deno.test("encodeOnnx() writes networks that ONNX Runtime loads and computes as they are meant", async () => {
  const values = (count: number) =>
    fc.float32Array({ minLength: count, maxLength: count, min: -2, max: 2, noNaN: true });
  const cases = fc.tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 200 })).chain((
    [inputs, width],
  ) => fc.tuple(fc.constant(inputs), values(inputs * width), values(width), values(width), values(inputs)));
  const samples = fc.sample(cases, 20).map(([inputs, weights, bias, last, features]) => {
    const network: Network = {
      inputs,
      hidden: { weights, bias },
      output: { weights: last, bias: Float32Array.of(0.25) },
    };
    let logit = 0.25;
    for (const [unit, start] of bias.entries()) {
      let sum = start;
      for (const [row, feature] of features.entries()) {
        sum += feature * (weights[row * bias.length + unit] ?? NaN);
      }
      logit += Math.max(0, sum) * (last[unit] ?? NaN);
    }
    const question = { model: [...encodeOnnx(network)], features: [...features] };
    return { question, expected: 1 / (1 + Math.exp(-logit)) };
  });
  const probabilities = await infer(samples.map(({ question }) => question));
  for (const [index, { question, expected }] of samples.entries()) {
    const probability = probabilities[index] ?? NaN;
    assert.ok(Math.abs(probability - expected) < 1e-3, `${probability}: ${JSON.stringify(question)}`);
  }
});

/** Runs the demo as its task does, in a folder of its own for whatever it makes. */
async function runDemo(dir: string, ...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-q",
      "--no-prompt",
      "--config",
      join(PROJECT, "deno.json"),
      "-P=demo",
      join(PROJECT, "configs/demo/demo.ts"),
      ...args,
    ],
    cwd: dir,
    env: { ...GIT_ENV, NO_COLOR: "1", TMPDIR: dir, TEMP: dir, TMP: dir },
    stdin: "null",
  }).output();
  const told = new TextDecoder().decode(stdout);
  const logged = new TextDecoder().decode(stderr);
  assert.equal(code, 0, told + logged);
  return { told, logged };
}

Deno.test("the demo does what its narration says, and its models load in ONNX Runtime", async () => {
  using dir = tempDir();
  const { told, logged } = await runDemo(dir.path);

  const [root = ""] = Array.from(Deno.readDirSync(dir.path), (entry) => join(dir.path, entry.name))
    .filter((path) => path.includes("model-sync-demo-"));
  assert.match(told, new RegExp(`Everything happens in ${root}`));
  const [, first = "", second = ""] =
    /release ([0-9a-f]{12}) [^]*release ([0-9a-f]{12}) \(sequence 2\)/.exec(told) ?? [];
  for (
    const says of [
      new RegExp(`activated release ${first} \\(sequence 1\\)`),
      /models -> \.model-sync\/current\n {2}BTC_USDC\/\n {4}direction\.onnx +\d+ bytes/,
      new RegExp(`activated release ${second} \\(sequence 2\\)\n.*\n {2}2 changed,`),
      new RegExp(`release ${second} \\(sequence 2\\) is intact: 6 files, every byte read`),
      new RegExp(`rolled back to release ${first} \\(sequence 1\\)\n.* in \\d+ ms`),
      /What to try next/,
    ]
  ) {
    assert.match(told, says);
  }
  assert.match(logged, /error: Cannot accept release .*ETH_USDC\/direction\.onnx has SHA-256/);
  assert.match(logged, /error: Cannot publish BTC_USDC\/scaler\.pkl: its pickle imports os\.system/);

  const questions = ["BTC_USDC", "ETH_USDC", "SOL_USDC"].map((symbol) => {
    const folder = join(root, "bot/models", symbol);
    const { accuracy, input } = JSON.parse(Deno.readTextFileSync(join(folder, "metadata.json")));
    assert.ok(accuracy > 0.5 && accuracy < 1, `${symbol} is right about ${accuracy}`);
    const features = new Array<number>(input.lookback).fill(0.5);
    return { model: [...Deno.readFileSync(join(folder, "direction.onnx"))], features };
  });
  for (const probability of await infer(questions)) {
    assert.ok(probability > 0 && probability < 1, String(probability));
  }
});

const CARRIERS: Readonly<Record<string, readonly RegExp[]>> = {
  runpod: [
    /would start a job: POST/,
    /activated release[^]*activated release/,
    /is intact/,
    /rolled back to/,
  ],
  "github-actions": [/activated release[^]*unchanged[^]*unchanged[^]*activated release/, /rolled back to/],
  huggingface: [
    /2 changed, to you\/your-models main/,
    /could not check for a newer release/,
    /rolled back to/,
  ],
};

for (const [carrier, says] of Object.entries(CARRIERS)) {
  Deno.test(`the demo plays ${carrier} against a server on this machine`, async () => {
    using dir = tempDir();
    const { told } = await runDemo(dir.path, "--carrier", carrier);
    for (const line of says) assert.match(told, line);
    assert.doesNotMatch(told, /upload-secret|download-secret|hf_test|ghp_0/);
  });
}
