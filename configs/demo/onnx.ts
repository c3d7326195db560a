/** A fully connected layer: `y = x * weights + bias`. */
export interface DenseLayer {
  /** One row for each input. */
  readonly weights: Float32Array;
  readonly bias: Float32Array;
}

/** A network with one hidden layer: `probability = sigmoid(relu(x * W1 + b1) * W2 + b2)`. */
export interface Network {
  readonly inputs: number;
  readonly hidden: DenseLayer;
  readonly output: DenseLayer;
}

/**
 * Encodes a network as an ONNX file: `features` (float, batch x inputs) in, `probability_up` (float, batch x 1) out.
 * Field numbers are those of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
 */
export function encodeOnnx(network: Network): Uint8Array<ArrayBuffer> {
  const { inputs, hidden, output } = network;
  const width = hidden.bias.length;
  const graph = [
    message(1, node("Gemm", ["features", "W1", "b1"], "hidden")),
    message(1, node("Relu", ["hidden"], "active")),
    message(1, node("Gemm", ["active", "W2", "b2"], "logit")),
    message(1, node("Sigmoid", ["logit"], "probability_up")),
    text(2, "direction"),
    message(5, tensor("W1", [inputs, width], hidden.weights)),
    message(5, tensor("b1", [width], hidden.bias)),
    message(5, tensor("W2", [width, 1], output.weights)),
    message(5, tensor("b2", [1], output.bias)),
    message(11, batch("features", inputs)),
    message(12, batch("probability_up", 1)),
  ];
  return join([
    number(1, IR_VERSION),
    text(2, "model-sync demo"),
    message(7, graph),
    message(8, [text(1, ""), number(2, OPSET_VERSION)]),
  ]);
}

/** The oldest version that current runtimes support with opset 13. */
const IR_VERSION = 7;
const OPSET_VERSION = 13;
const FLOAT = 1;

type Bytes = Uint8Array<ArrayBuffer>;

function node(operator: string, inputs: readonly string[], output: string): Bytes[] {
  return [...inputs.map((name) => text(1, name)), text(2, output), text(4, operator)];
}

function tensor(name: string, shape: readonly number[], values: Float32Array): Bytes[] {
  const data = new DataView(new ArrayBuffer(values.length * 4));
  for (const [index, value] of values.entries()) data.setFloat32(index * 4, value, true);
  return [
    ...shape.map((size) => number(1, size)),
    number(2, FLOAT),
    text(8, name),
    field(9, new Uint8Array(data.buffer)),
  ];
}

function batch(name: string, width: number): Bytes[] {
  const shape = [message(1, [text(2, "batch")]), message(1, [number(1, width)])];
  return [text(1, name), message(2, [message(1, [number(1, FLOAT), message(2, shape)])])];
}

/** Protocol Buffers: https://protobuf.dev/programming-guides/encoding/ */
function number(id: number, value: number): Bytes {
  return join([varint(id << 3), varint(value)]);
}

function text(id: number, value: string): Bytes {
  return field(id, new TextEncoder().encode(value));
}

function message(id: number, parts: readonly Bytes[]): Bytes {
  return field(id, join(parts));
}

function field(id: number, content: Bytes): Bytes {
  return join([varint(id << 3 | 2), varint(content.length), content]);
}

function varint(value: number): Bytes {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x7f) {
    bytes.push(rest & 0x7f | 0x80);
    rest >>>= 7;
  }
  return new Uint8Array([...bytes, rest]);
}

function join(parts: readonly Bytes[]): Bytes {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}
