import type { InferenceSession, Tensor } from "onnxruntime-common";
import { cleanLine } from "../../core/clean_text.ts";
import { SOURCE_ROOT } from "../../core/source_root.ts";
import { ORT_PACKAGE, PACKED_ORT } from "./ort_package.ts";
import type { Loadable } from "./try_protocol.ts";
import { NUMBER_TYPES } from "./value_info.ts";

// Deno finds no package in this expression, so it locks and downloads the package only for a process that loads this file.
const runtime: typeof import("onnxruntime-common") = await import(
  Deno.build.standalone ? new URL(PACKED_ORT.module, SOURCE_ROOT).href : ORT_PACKAGE
);

/** The runtime's reasons contain whole type signatures. */
const REASON_CHARS_MAX = 300;

/** The unit of WebAssembly's memory sizes. */
const PAGE_BYTES = 64 * 1024;

/** Types of outputs that the runtime returns; it cannot return sequences and maps, which classifiers have. */
const TAKEN_TYPES: ReadonlySet<string> = new Set([...NUMBER_TYPES, "string"]);

/** The runtime cannot be started, whatever the model. */
export class RuntimeMissingError extends Error {}

/** A loaded model. */
export interface OrtSession {
  /** The names of the outputs that `run` returns. */
  readonly outputs: readonly string[];
  run(feeds: Readonly<Record<string, Tensor>>): Promise<Readonly<Record<string, Tensor>>>;
}

/**
 * Limits the runtime's memory: beyond the limit, allocations fail. Call it before the first model is loaded, because the
 * runtime creates its `WebAssembly.Memory`, of up to four gigabytes, with the first one.
 *
 * @returns whether the runtime requested memory beyond the limit
 */
export function limitRuntimeMemory(bytes: number): { isShort(): boolean } {
  const pages = Math.floor(bytes / PAGE_BYTES);
  let isShort = false;
  const { Memory } = WebAssembly;
  class LimitedMemory extends Memory {
    constructor(descriptor: WebAssembly.MemoryDescriptor) {
      super({ ...descriptor, maximum: Math.min(descriptor.maximum ?? pages, pages) });
    }

    override grow(delta: number): number {
      try {
        return super.grow(delta);
      } catch (error) {
        isShort = true;
        throw error;
      }
    }
  }
  Object.defineProperty(WebAssembly, "Memory", { value: LimitedMemory });
  return { isShort: () => isShort };
}

/**
 * Loads a model with its external data. Needs read permission for its files and for the runtime's package.
 *
 * @throws {RuntimeMissingError} when the runtime does not start; all other errors concern the model
 */
export async function loadModel({ location, external }: Loadable): Promise<OrtSession> {
  // Further threads would be workers, without a gain here.
  runtime.env.wasm.numThreads = 1;
  runtime.env.logLevel = "error";
  if (Deno.build.standalone) runtime.env.wasm.wasmBinary = await unpackedWasm();
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

/** Returns the runtime's WebAssembly from the executable. */
async function unpackedWasm(): Promise<Uint8Array> {
  const { brotliDecompressSync } = await import("node:zlib");
  return brotliDecompressSync(Deno.readFileSync(new URL(PACKED_ORT.wasm, SOURCE_ROOT)));
}

async function create(location: string, options: InferenceSession.SessionOptions): Promise<InferenceSession> {
  try {
    return await runtime.InferenceSession.create(Deno.readFileSync(location), options);
  } catch (error) {
    if (error instanceof Error && error.message.startsWith("no available backend")) {
      throw new RuntimeMissingError(error.message, { cause: error });
    }
    throw error;
  }
}

/** The place in the runtime's source that its errors begin with: file, line and signature of the function. */
const SOURCE_PLACE = /^\/\S+:\d+ [^)]*\)(?: const)? /;

/** Returns the first line of the runtime's message, without error numbers and the place in its source. */
export function runtimeReason(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const said = message.split("ERROR_MESSAGE: ").at(-1) ?? message;
  const [line = ""] = said.replace(/^"/, "").trim().split("\n");
  return cleanLine(line.replace(SOURCE_PLACE, ""), { charsMax: REASON_CHARS_MAX });
}

/** Creates a tensor, and converts the numbers to its type. */
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
      return new runtime.Tensor(type, new Uint16Array(Float16Array.from(shape, number).buffer), dims);
    case "float32":
      return new runtime.Tensor(type, Float32Array.from(shape, number), dims);
    case "float64":
      return new runtime.Tensor(type, Float64Array.from(shape, number), dims);
    case "int8":
      return new runtime.Tensor(type, Int8Array.from(shape, number), dims);
    case "uint8":
      return new runtime.Tensor(type, Uint8Array.from(shape, number), dims);
    case "int16":
      return new runtime.Tensor(type, Int16Array.from(shape, number), dims);
    case "uint16":
      return new runtime.Tensor(type, Uint16Array.from(shape, number), dims);
    case "int32":
      return new runtime.Tensor(type, Int32Array.from(shape, number), dims);
    case "uint32":
      return new runtime.Tensor(type, Uint32Array.from(shape, number), dims);
    case "int64":
      return new runtime.Tensor(type, BigInt64Array.from(shape, bigint), dims);
    case "uint64":
      return new runtime.Tensor(type, BigUint64Array.from(shape, bigint), dims);
    case "bool":
      return new runtime.Tensor(type, Uint8Array.from(shape, number), dims);
    case "string":
      return new runtime.Tensor(type, Array.from(shape, (_, index) => String(valueAt(index))), dims);
    default:
      throw new TypeError(`cannot create a tensor of ${type}`);
  }
}

/** Returns the numbers of a tensor of floats; `undefined` for other types. */
export function floatsOf({ type, data }: Tensor): ArrayLike<number> | undefined {
  if (data instanceof Float32Array || data instanceof Float64Array) return data;
  if (type === "float16" && ArrayBuffer.isView(data)) {
    return new Float16Array(data.buffer, data.byteOffset, data.byteLength / 2);
  }
  return undefined;
}
