/**
 * A small training program, run as a publisher's `train_command`. For each symbol, it learns from recent candles
 * whether the next one closes higher, and writes `models/BTC_USDC/direction.onnx` and `metadata.json`. The market is
 * simulated. The training, and the accuracy on unseen candles, are real.
 *
 *     deno run --allow-read --allow-write --allow-env=MODEL_SYNC_MODELS_DIR configs/demo/train.ts --symbol BTC/USDC
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { encodeOnnx, type Network } from "./onnx.ts";

const SYMBOLS = ["BTC/USDC", "ETH/USDC", "SOL/USDC"];
const CANDLES = 3000;
/** The number of new candles since the last training. */
const NEW_CANDLES = 900;
/** The number of candles whose returns are the model's input. */
const LOOKBACK = 8;
const HIDDEN = 16;
const EPOCHS = 30;
const LEARNING_RATE = 0.05;

interface Sample {
  readonly features: Float32Array;
  readonly isUp: number;
}

/** Random numbers from 0 to 1, the same for the same name, so that a market's past does not change. */
function numbersOf(name: string): () => number {
  let state = Array.from(name).reduce((sum, letter) => sum * 31 + letter.charCodeAt(0) >>> 0, 7);
  // A linear congruential generator, with the constants of Numerical Recipes.
  return () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
}

/** Returns that oscillate: after some candles, the market tends to reverse. Do not trade on this. */
function simulateReturns(count: number, past: () => number): number[] {
  const returns: number[] = [];
  for (let index = 0; index < count; index++) {
    const random = index < count - NEW_CANDLES ? past : Math.random;
    const pull = -0.5 * (returns[index - 1] ?? 0) - 0.3 * (returns[index - 3] ?? 0);
    const noise = random() + random() + random() - 1.5;
    returns.push(pull + noise);
  }
  return returns;
}

function toSamples(returns: readonly number[]): Sample[] {
  return returns.slice(LOOKBACK).map((next, index) => ({
    features: Float32Array.from(returns.slice(index, index + LOOKBACK)),
    isUp: next > 0 ? 1 : 0,
  }));
}

function randomNetwork(numbers: () => number): Network {
  const random = (count: number, scale: number) =>
    Float32Array.from({ length: count }, () => (numbers() * 2 - 1) * scale);
  return {
    inputs: LOOKBACK,
    hidden: { weights: random(LOOKBACK * HIDDEN, 0.5), bias: new Float32Array(HIDDEN) },
    output: { weights: random(HIDDEN, 0.5), bias: new Float32Array(1) },
  };
}

function hiddenOf(network: Network, features: Float32Array): Float32Array {
  const hidden = network.hidden.bias.slice();
  for (const [row, feature] of features.entries()) {
    for (let unit = 0; unit < HIDDEN; unit++) {
      hidden[unit] = (hidden[unit] ?? 0) + feature * (network.hidden.weights[row * HIDDEN + unit] ?? 0);
    }
  }
  return hidden.map((value) => Math.max(0, value));
}

function probabilityOf(network: Network, hidden: Float32Array): number {
  const logit = hidden.reduce(
    (sum, value, unit) => sum + value * (network.output.weights[unit] ?? 0),
    network.output.bias[0] ?? 0,
  );
  return 1 / (1 + Math.exp(-logit));
}

/** One step of gradient descent on the log loss. */
function learn(network: Network, { features, isUp }: Sample, rate: number): void {
  const { hidden: first, output: last } = network;
  const hidden = hiddenOf(network, features);
  const error = probabilityOf(network, hidden) - isUp;
  last.bias[0] = (last.bias[0] ?? 0) - rate * error;
  for (let unit = 0; unit < HIDDEN; unit++) {
    const value = hidden[unit] ?? 0;
    const gradient = value > 0 ? error * (last.weights[unit] ?? 0) : 0;
    last.weights[unit] = (last.weights[unit] ?? 0) - rate * error * value;
    first.bias[unit] = (first.bias[unit] ?? 0) - rate * gradient;
    for (const [row, feature] of features.entries()) {
      const index = row * HIDDEN + unit;
      first.weights[index] = (first.weights[index] ?? 0) - rate * gradient * feature;
    }
  }
}

function accuracyOn(network: Network, samples: readonly Sample[]): number {
  const right = samples.filter(({ features, isUp }) =>
    (probabilityOf(network, hiddenOf(network, features)) > 0.5 ? 1 : 0) === isUp
  );
  return right.length / samples.length;
}

function trainSymbol(symbol: string, modelsDir: string): void {
  const numbers = numbersOf(symbol);
  // The same start for each training, so that similar data gives similar models: validation compares their outputs.
  const network = randomNetwork(numbers);
  const samples = toSamples(simulateReturns(CANDLES, numbers));
  const split = Math.floor(samples.length * 0.8);
  for (let epoch = 0; epoch < EPOCHS; epoch++) {
    // Decreasing steps, so that the last candles do not dominate the model.
    const rate = LEARNING_RATE / (1 + epoch / 5);
    for (const sample of samples.slice(0, split)) learn(network, sample, rate);
  }
  const accuracy = Number(accuracyOn(network, samples.slice(split)).toFixed(3));
  const folder = join(modelsDir, symbol.replace("/", "_"));
  Deno.mkdirSync(folder, { recursive: true });
  Deno.writeFileSync(join(folder, "direction.onnx"), encodeOnnx(network));
  const metadata = {
    symbol,
    trainedAt: new Date().toISOString(),
    trainedOn: split,
    testedOn: samples.length - split,
    accuracy,
    input: { name: "features", lookback: LOOKBACK },
    output: { name: "probability_up" },
  };
  Deno.writeTextFileSync(join(folder, "metadata.json"), `${JSON.stringify(metadata, undefined, 2)}\n`);
  Deno.stdout.writeSync(
    new TextEncoder().encode(
      `trained ${symbol} on ${split} candles: right about ${(accuracy * 100).toFixed(1)}% of ${
        samples.length - split
      } new ones\n`,
    ),
  );
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

if (import.meta.main) {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      symbol: { type: "string", multiple: true },
      "train-missing-only": { type: "boolean" },
      "train-all": { type: "boolean" },
      "max-model-age-hours": { type: "string" },
      paper: { type: "boolean" },
    },
  });
  const modelsDir = Deno.env.get("MODEL_SYNC_MODELS_DIR") ?? "models";
  for (const symbol of values.symbol ?? SYMBOLS) {
    const isThere = exists(join(modelsDir, symbol.replace("/", "_"), "direction.onnx"));
    if (isThere && values["train-missing-only"] === true) continue;
    trainSymbol(symbol, modelsDir);
  }
}
