import { env, InferenceSession, Tensor } from "onnxruntime-web";
import { cleanLine } from "../../core/clean_text.ts";
import type { Loadable } from "./try_protocol.ts";
import { NUMBER_TYPES } from "./value_info.ts";

/** Reasons of the runtime hold whole type signatures. */
const REASON_CHARS_MAX = 300;

/** WebAssembly counts its memory in pages. */
const PAGE_BYTES = 64 * 1024;

/** Outputs that can be taken out of the runtime; sequences and maps, which classifiers return, cannot. */
const TAKEN_TYPES: ReadonlySet<string> = new Set([...NUMBER_TYPES, "string"]);

/** The runtime cannot be started at all: no model is to blame. */
export class RuntimeMissingError extends Error {}

/** A model in ONNX Runtime. */
export interface OrtSession {
  /** The outputs that are computed and handed out. */
  readonly outputs: readonly string[];
  run(feeds: Readonly<Record<string, Tensor>>): Promise<Readonly<Record<string, Tensor>>>;
}

/**
 * Sets how far the runtime's memory may grow; beyond that it fails as if there were no more. To be called before the
 * first model is loaded: the runtime takes its memory, four gigabytes at most, from `WebAssembly.Memory`.
 */
export function limitRuntimeMemory(bytes: number): void {
  const pages = Math.floor(bytes / PAGE_BYTES);
  const { Memory } = WebAssembly;
  class LimitedMemory extends Memory {
    constructor(descriptor: WebAssembly.MemoryDescriptor) {
      super({ ...descriptor, maximum: Math.min(descriptor.maximum ?? pages, pages) });
    }
  }
  Object.defineProperty(WebAssembly, "Memory", { value: LimitedMemory });
}

/**
 * Loads a model, with the files that it keeps tensors in. Needs read permission for them and for the runtime's package.
 *
 * @throws {RuntimeMissingError} when the runtime does not start; whatever else is thrown is about the model
 */
export async function loadModel({ location, external }: Loadable): Promise<OrtSession> {
  // More threads would be workers, and gain nothing here.
  env.wasm.numThreads = 1;
  env.logLevel = "error";
  const session = await create(location, {
    executionProviders: ["wasm"],
    logSeverityLevel: 3,
    externalData: external.map(({ name, location }) => ({ path: name, data: Deno.readFileSync(location) })),
  });
  const outputs = session.outputMetadata
    .filter((output) => output.isTensor && TAKEN_TYPES.has(output.type))
    .map(({ name }) => name);
  return { outputs, run: async (feeds) => await session.run(feeds, outputs) };
}

async function create(location: string, options: InferenceSession.SessionOptions): Promise<InferenceSession> {
  try {
    return await InferenceSession.create(Deno.readFileSync(location), options);
  } catch (error) {
    if (error instanceof Error && error.message.startsWith("no available backend")) {
      throw new RuntimeMissingError(error.message, { cause: error });
    }
    throw error;
  }
}

/** Where in the runtime's source an error was raised: file, line and the function's signature. */
const SOURCE_PLACE = /^\/\S+:\d+ [^)]*\)(?: const)? /;

/** The first line of what the runtime says, without its numbers and the place in its source. */
export function runtimeReason(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const said = message.split("ERROR_MESSAGE: ").at(-1) ?? message;
  const [line = ""] = said.replace(/^"/, "").trim().split("\n");
  return cleanLine(line.replace(SOURCE_PLACE, ""), { charsMax: REASON_CHARS_MAX });
}

/** A tensor of these values; numbers become what the type wants. */
export function makeTensor(
  type: string,
  dims: readonly number[],
  valueAt: (index: number) => number | string,
): Tensor {
  const shape = { length: dims.reduce((all, size) => all * size, 1) };
  const number = (_: unknown, index: number) => Number(valueAt(index));
  const bigint = (_: unknown, index: number) => BigInt(valueAt(index));
  switch (type) {
    case "float16":
      return new Tensor(type, new Uint16Array(Float16Array.from(shape, number).buffer), dims);
    case "float32":
      return new Tensor(type, Float32Array.from(shape, number), dims);
    case "float64":
      return new Tensor(type, Float64Array.from(shape, number), dims);
    case "int8":
      return new Tensor(type, Int8Array.from(shape, number), dims);
    case "uint8":
      return new Tensor(type, Uint8Array.from(shape, number), dims);
    case "int16":
      return new Tensor(type, Int16Array.from(shape, number), dims);
    case "uint16":
      return new Tensor(type, Uint16Array.from(shape, number), dims);
    case "int32":
      return new Tensor(type, Int32Array.from(shape, number), dims);
    case "uint32":
      return new Tensor(type, Uint32Array.from(shape, number), dims);
    case "int64":
      return new Tensor(type, BigInt64Array.from(shape, bigint), dims);
    case "uint64":
      return new Tensor(type, BigUint64Array.from(shape, bigint), dims);
    case "bool":
      return new Tensor(type, Uint8Array.from(shape, number), dims);
    case "string":
      return new Tensor(type, Array.from(shape, (_, index) => String(valueAt(index))), dims);
    default:
      throw new TypeError(`no tensor of ${type} can be made`);
  }
}

/** The numbers of a tensor of floats; `undefined` for other types. */
export function floatsOf({ type, data }: Tensor): ArrayLike<number> | undefined {
  if (data instanceof Float32Array || data instanceof Float64Array) return data;
  if (type === "float16" && ArrayBuffer.isView(data)) {
    return new Float16Array(data.buffer, data.byteOffset, data.byteLength / 2);
  }
  return undefined;
}
