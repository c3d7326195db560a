import type { FileSystem } from "../../core/files.ts";
import type { ModelFile } from "../checker.ts";
import { InvalidModelError } from "../invalid_model.ts";
import { type ProtobufField, ProtobufFile, WIRE } from "./protobuf_file.ts";
import { type OnnxValue, readValueInfo } from "./value_info.ts";

/** The limit of the usual readers of Protocol Buffers; a graph within a graph takes three levels. */
const NESTING_MAX = 100;

/** The largest models have some ten thousand tensors of weights; exporters add a few times as many constants. */
const TENSORS_MAX = 1_000_000;

/** Models that take the state of every layer as an input have some hundred inputs. */
const VALUES_MAX = 10_000;

/** The limit of files in a release. */
const EXTERNAL_MAX = 200_000;

/** Offsets and lengths are decimal texts; 15 digits are a petabyte, and exact as a double. */
const DECIMAL = /^\d{1,15}$/;

/** The structure of a model. */
export interface OnnxModel {
  readonly irVersion: number;
  /** Version by domain; the standard's domain is the empty text. */
  readonly opsets: ReadonlyMap<string, number>;
  /** The inputs to feed, without the initializers, which older files list among the inputs. */
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  /** The files with external tensors, by their names in the model, with the minimum size of each in bytes. */
  readonly external: ReadonlyMap<string, number>;
}

/**
 * Reads the structure of an ONNX file (`ModelProto` in https://github.com/onnx/onnx/blob/main/onnx/onnx.proto), and every
 * reference to an external file, however deep in subgraphs, functions and attributes. Tensors are skipped, so that the
 * size of the file does not matter. Needs read permission for the file.
 *
 * @throws {InvalidModelError} naming the problem and the byte
 */
export function readOnnx(fs: Pick<FileSystem, "openSync">, model: ModelFile): OnnxModel {
  if (model.size === 0) throw new InvalidModelError(model.path, "it is empty, expected an ONNX model");
  using file = fs.openSync(model.location, { read: true });
  return new OnnxReader(new ProtobufFile(model.path, file, model.size), model.path).read();
}

/** The messages that contain tensors, directly or in other messages, with the fields that do. */
const MESSAGES = {
  model: { 7: "graph", 20: "training", 25: "function" },
  graph: { 1: "node", 5: "tensor", 15: "sparse" },
  node: { 5: "attribute" },
  attribute: { 5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse" },
  sparse: { 1: "tensor", 2: "tensor" },
  function: { 7: "node", 11: "attribute" },
  training: { 1: "graph", 2: "graph" },
} as const satisfies Record<string, Record<number, string>>;

type Kind = keyof typeof MESSAGES;

const TITLES: Readonly<Record<Kind | "tensor", string>> = {
  model: "the model",
  graph: "a graph",
  node: "a node",
  attribute: "an attribute",
  sparse: "a sparse tensor",
  function: "a function",
  training: "the training information",
  tensor: "a tensor",
};

const LED_TO: Readonly<Record<Kind, ReadonlyMap<number, Kind | "tensor">>> = {
  model: ledTo(MESSAGES.model),
  graph: ledTo(MESSAGES.graph),
  node: ledTo(MESSAGES.node),
  attribute: ledTo(MESSAGES.attribute),
  sparse: ledTo(MESSAGES.sparse),
  function: ledTo(MESSAGES.function),
  training: ledTo(MESSAGES.training),
};

function ledTo(fields: Readonly<Record<number, Kind | "tensor">>): ReadonlyMap<number, Kind | "tensor"> {
  return new Map(Object.entries(fields).map(([id, kind]) => [Number(id), kind]));
}

class OnnxReader {
  readonly #file: ProtobufFile;
  readonly #path: string;
  readonly #external = new Map<string, number>();
  #tensors = 0;

  constructor(file: ProtobufFile, path: string) {
    this.#file = file;
    this.#path = path;
  }

  read(): OnnxModel {
    let irVersion = 0;
    let graph: ProtobufField | undefined;
    const opsets = new Map<string, number>();
    for (const field of this.#fields(0, this.#file.size, TITLES.model)) {
      if (field.id === 1 && field.wire === WIRE.varint) irVersion = field.value;
      if (field.id === 7 && field.wire === WIRE.bytes) {
        // Readers would merge two graphs into one. No exporter writes two.
        if (graph !== undefined) throw this.#file.invalid(field.start, TITLES.model, "a second graph");
        graph = field;
      }
      if (field.id === 8 && field.wire === WIRE.bytes) this.#readOpset(field, opsets);
    }
    if (irVersion === 0 || graph === undefined || opsets.size === 0) {
      const missing = irVersion === 0 ? "version" : graph === undefined ? "graph" : "operator set";
      throw new InvalidModelError(this.#path, `it is not an ONNX model: it has no ${missing}`);
    }
    this.#walk("model", 0, this.#file.size, 0);
    return { irVersion, opsets, ...this.#readSignature(graph), external: this.#external };
  }

  *#fields(start: number, end: number, title: string): Generator<ProtobufField> {
    for (let at = start; at < end;) {
      const field = this.#file.field(at, end, title);
      yield field;
      at = field.end;
    }
  }

  #readOpset(opset: ProtobufField, opsets: Map<string, number>): void {
    const title = "an operator set";
    let domain = "";
    let version = 0;
    for (const field of this.#fields(opset.start, opset.end, title)) {
      if (field.id === 1 && field.wire === WIRE.bytes) domain = this.#file.text(field, title);
      if (field.id === 2 && field.wire === WIRE.varint) version = field.value;
    }
    opsets.set(domain, version);
    if (opsets.size > VALUES_MAX) throw this.#tooMany(opset, "operator sets", VALUES_MAX);
  }

  /** Reads the inputs and outputs of the main graph. */
  #readSignature(graph: ProtobufField): Pick<OnnxModel, "inputs" | "outputs"> {
    const inputs = new Map<string, OnnxValue>();
    const outputs = new Map<string, OnnxValue>();
    for (const field of this.#fields(graph.start, graph.end, TITLES.graph)) {
      if (field.wire !== WIRE.bytes || (field.id !== 11 && field.id !== 12)) continue;
      const [values, title] = field.id === 11 ? [inputs, "an input"] : [outputs, "an output"];
      const value = readValueInfo(this.#file, field, title);
      if (values.has(value.name)) throw this.#file.invalid(field.start, title, "a duplicate name");
      values.set(value.name, value);
      if (values.size > VALUES_MAX) throw this.#tooMany(field, `${title.slice(3)}s`, VALUES_MAX);
    }
    if (outputs.size === 0) throw new InvalidModelError(this.#path, "its graph has no output");
    for (const name of this.#initializers(graph, inputs)) inputs.delete(name);
    return { inputs: [...inputs.values()], outputs: [...outputs.values()] };
  }

  /** Yields the names of initializers. */
  *#initializers(graph: ProtobufField, inputs: ReadonlyMap<string, OnnxValue>): Generator<string> {
    if (inputs.size === 0) return;
    for (const field of this.#fields(graph.start, graph.end, TITLES.graph)) {
      if (field.wire !== WIRE.bytes) continue;
      if (field.id === 5) yield this.#tensorName(field);
      if (field.id !== 15) continue;
      for (const part of this.#fields(field.start, field.end, TITLES.sparse)) {
        if (part.id === 1 && part.wire === WIRE.bytes) yield this.#tensorName(part);
      }
    }
  }

  #tensorName(tensor: ProtobufField): string {
    let name = "";
    for (const field of this.#fields(tensor.start, tensor.end, TITLES.tensor)) {
      if (field.id === 8 && field.wire === WIRE.bytes) name = this.#file.text(field, TITLES.tensor);
    }
    return name;
  }

  /** Finds the tensors in a message. Not a generator, for speed: forests have millions of fields. */
  #walk(kind: Kind, start: number, end: number, depth: number): void {
    const title = TITLES[kind];
    if (depth > NESTING_MAX) throw this.#file.invalid(start, title, `more than ${NESTING_MAX} levels`);
    for (let at = start; at < end;) {
      const field = this.#file.field(at, end, title);
      at = field.end;
      const next = field.wire === WIRE.bytes ? LED_TO[kind].get(field.id) : undefined;
      if (next === "tensor") this.#readTensor(field);
      else if (next !== undefined) this.#walk(next, field.start, field.end, depth + 1);
    }
  }

  #readTensor(tensor: ProtobufField): void {
    this.#tensors += 1;
    if (this.#tensors > TENSORS_MAX) throw this.#tooMany(tensor, "tensors", TENSORS_MAX);
    let isExternal = false;
    const entries: [string, string][] = [];
    for (let at = tensor.start; at < tensor.end;) {
      const field = this.#file.field(at, tensor.end, TITLES.tensor);
      at = field.end;
      if (field.id === 14 && field.wire === WIRE.varint && field.low === 1) isExternal = true;
      if (field.id === 13 && field.wire === WIRE.bytes) entries.push(this.#readEntry(field));
      if (entries.length > EXTERNAL_KEYS_MAX) {
        throw this.#tooMany(tensor, "keys of external data", EXTERNAL_KEYS_MAX);
      }
    }
    if (isExternal) this.#addExternal(tensor, entries);
  }

  #readEntry(entry: ProtobufField): [string, string] {
    let key = "";
    let value = "";
    for (const field of this.#fields(entry.start, entry.end, EXTERNAL_TITLE)) {
      if (field.wire !== WIRE.bytes) continue;
      if (field.id === 1) key = this.#file.text(field, EXTERNAL_TITLE);
      if (field.id === 2) value = this.#file.text(field, EXTERNAL_TITLE);
    }
    return [key, value];
  }

  #addExternal(tensor: ProtobufField, entries: readonly [string, string][]): void {
    const keys = new Map(entries);
    // Readers disagree about which of two entries counts.
    if (keys.size < entries.length) {
      throw this.#file.invalid(tensor.start, EXTERNAL_TITLE, "a duplicate key");
    }
    const location = keys.get("location");
    if (location === undefined) {
      throw this.#file.invalid(tensor.start, EXTERNAL_TITLE, "no location");
    }
    const [offset = 0, length = 0] = ["offset", "length"].map((key) => {
      const text = keys.get(key) ?? "0";
      if (DECIMAL.test(text)) return Number(text);
      throw this.#file.invalid(
        tensor.start,
        EXTERNAL_TITLE,
        `the ${key} ${JSON.stringify(text)}, expected digits`,
      );
    });
    const end = offset + length;
    this.#external.set(location, Math.max(end, this.#external.get(location) ?? 0));
    if (this.#external.size > EXTERNAL_MAX) throw this.#tooMany(tensor, "files", EXTERNAL_MAX);
  }

  #tooMany(field: ProtobufField, what: string, most: number): InvalidModelError {
    return this.#file.invalid(field.start, TITLES.model, `more than ${most} ${what}`);
  }
}

const EXTERNAL_TITLE = "the external data of a tensor";

/** The standard has five keys. */
const EXTERNAL_KEYS_MAX = 100;
