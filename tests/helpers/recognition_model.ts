import {
  type Bytes,
  FLOAT,
  initializer,
  input,
  intAttribute,
  intsAttribute,
  model,
  node,
  output,
  textAttribute,
} from "./onnx_bytes.ts";

/** A layer of convolutions: channels before and after it, and its steps in height and width. */
type Layer = readonly [from: number, to: number, rows: number, columns: number];

/** A line of 48 rows becomes 2 rows, and 8 columns become one step of the text. */
const LAYERS: readonly Layer[] = [
  [3, 32, 2, 2],
  [32, 64, 1, 1],
  [64, 64, 1, 1],
  [64, 64, 1, 1],
  [64, 128, 2, 1],
  [128, 256, 2, 2],
  [256, 256, 3, 2],
];
const CHANNELS = 256;
const HIDDEN = 192;

/** The characters and the blank of a CTC head. The file has about 10 MB with them. */
const CLASSES = 2_000;

export interface Recognition {
  /** A number for a fixed width, or a name for an open one. */
  readonly width: number | string;
  /** How far each weight is from that of the model without drift, relative to it. */
  readonly drift?: number;
}

/**
 * Returns a model that is built like those that read a line of text: convolutions, a bidirectional LSTM and a
 * distribution over 2,000 characters for every 8 columns of the image. Its weights are random, and the same in every
 * call. One image of 320 columns takes about as long as in a model in use.
 */
export function recognitionModel({ width, drift = 0 }: Recognition): Bytes {
  const weights = new Weights(drift);
  const batch = typeof width === "number" ? 1 : "batch";
  const convolutions = LAYERS.flatMap(([from, to, rows, columns], index) => [
    node(
      "Conv",
      [index === 0 ? "image" : `active${index - 1}`, `kernel${index}`],
      [`convolved${index}`],
      intsAttribute("pads", [1, 1, 1, 1]),
      intsAttribute("strides", [rows, columns]),
    ),
    node("Relu", [`convolved${index}`], [`active${index}`]),
    weights.tensor(`kernel${index}`, [to, from, 3, 3]),
  ]);
  return model(
    ...convolutions,
    node(
      "ReduceMean",
      [`active${LAYERS.length - 1}`],
      ["columns"],
      intsAttribute("axes", [2]),
      intAttribute("keepdims", 0),
    ),
    node("Transpose", ["columns"], ["steps"], intsAttribute("perm", [2, 0, 1])),
    node(
      "LSTM",
      ["steps", "lstm_w", "lstm_r"],
      ["read"],
      intAttribute("hidden_size", HIDDEN),
      textAttribute("direction", "bidirectional"),
    ),
    weights.tensor("lstm_w", [2, 4 * HIDDEN, CHANNELS]),
    weights.tensor("lstm_r", [2, 4 * HIDDEN, HIDDEN]),
    // From steps, directions, batch, values to batch, steps, directions and values.
    node("Transpose", ["read"], ["by_image"], intsAttribute("perm", [2, 0, 1, 3])),
    initializer("flat", 7, [3], shape([0, 0, 2 * HIDDEN])),
    node("Reshape", ["by_image", "flat"], ["states"]),
    node("MatMul", ["states", "head"], ["logits"]),
    weights.tensor("head", [2 * HIDDEN, CLASSES], 12),
    node("Softmax", ["logits"], ["characters"], intAttribute("axis", 2)),
    input("image", FLOAT, [batch, 3, 48, width]),
    output("characters", FLOAT, [batch, typeof width === "number" ? null : "steps", CLASSES]),
  );
}

function shape(sizes: readonly number[]): Bytes {
  return new Uint8Array(BigInt64Array.from(sizes, BigInt).buffer);
}

/** Random weights that keep the scale of the values from layer to layer. */
class Weights {
  readonly #drift: number;
  #state = 1;

  constructor(drift: number) {
    this.#drift = drift;
  }

  tensor(name: string, sizes: readonly number[], gain = 1): Bytes {
    const count = sizes.reduce((all, size) => all * size, 1);
    const inputs = name === "head" ? 2 * HIDDEN : count / (sizes[0] ?? 1);
    const scale = gain * Math.sqrt(6 / inputs);
    const values = new Float32Array(count);
    for (let index = 0; index < count; index++) {
      values[index] = scale * this.#next() * (1 + this.#drift * this.#next());
    }
    return initializer(name, FLOAT, sizes, new Uint8Array(values.buffer));
  }

  /** From -1 to 1 (xorshift). */
  #next(): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return this.#state / 2 ** 31;
  }
}
