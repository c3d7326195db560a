import { createHash } from "node:crypto";
import { basename, join } from "node:path";
import type { ModelFile } from "../../lib/validators/checker.ts";

/** Writes a file into a folder and returns it like a staged and verified file. */
export function stagedFile(dir: string, path: string, content: string | Uint8Array): ModelFile {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const location = join(dir, path);
  Deno.mkdirSync(location.slice(0, -basename(path).length), { recursive: true });
  Deno.writeFileSync(location, bytes);
  return { path, location, size: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
}

/** Writes files below a folder, and returns them in the form for validators. */
export function modelFiles(root: string, files: Readonly<Record<string, string | Uint8Array>>): ModelFile[] {
  return Object.entries(files).map(([path, content]) => stagedFile(root, path, content));
}

/** A tensor of a generated file: its type, shape and size in bytes. */
export type MadeTensor = readonly [dtype: string, shape: readonly number[], bytes: number];

/** Returns the header of a safetensors file with these tensors in order. */
export function safetensorsHeader(
  tensors: Readonly<Record<string, MadeTensor>>,
  metadata?: Readonly<Record<string, string>>,
): string {
  let offset = 0;
  const entries = Object.entries(tensors).map(([name, [dtype, shape, bytes]]) => {
    const entry = [name, { dtype, shape, data_offsets: [offset, offset + bytes] }] as const;
    offset += bytes;
    return entry;
  });
  return JSON.stringify({
    ...(metadata === undefined ? {} : { __metadata__: metadata }),
    ...Object.fromEntries(entries),
  });
}

/** Returns a safetensors file with this header and so many bytes of tensors. */
export function safetensorsBytes(header: string | Uint8Array, dataBytes: number): Uint8Array<ArrayBuffer> {
  const text = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const bytes = new Uint8Array(8 + text.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}

/** Returns a complete safetensors file with these tensors. */
export function safetensors(tensors: Readonly<Record<string, MadeTensor>>): Uint8Array<ArrayBuffer> {
  const dataBytes = Object.values(tensors).reduce((sum, [, , bytes]) => sum + bytes, 0);
  return safetensorsBytes(safetensorsHeader(tensors), dataBytes);
}

/** Writes the values of a GGUF header. */
export class GgufWriter {
  readonly #bytes: number[] = [];
  readonly #littleEndian: boolean;

  constructor(littleEndian = true) {
    this.#littleEndian = littleEndian;
  }

  u32(value: number): this {
    const view = new DataView(new ArrayBuffer(4));
    view.setUint32(0, value, this.#littleEndian);
    return this.raw(new Uint8Array(view.buffer));
  }

  u64(value: number | bigint): this {
    const view = new DataView(new ArrayBuffer(8));
    view.setBigUint64(0, BigInt(value), this.#littleEndian);
    return this.raw(new Uint8Array(view.buffer));
  }

  text(value: string): this {
    const bytes = new TextEncoder().encode(value);
    return this.u64(bytes.length).raw(bytes);
  }

  raw(bytes: Uint8Array): this {
    for (const byte of bytes) this.#bytes.push(byte);
    return this;
  }

  /** Pads with zeros to a multiple. */
  pad(multiple: number): this {
    while (this.#bytes.length % multiple !== 0) this.#bytes.push(0);
    return this;
  }

  bytes(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#bytes);
  }
}

/** A tensor of a generated GGUF file: the number of its type, its shape and offset. */
type GgufTensor = readonly [name: string, type: number, shape: readonly number[], start: number];

export interface GgufParts {
  readonly version?: number;
  readonly littleEndian?: boolean;
  readonly alignment?: number;
  readonly tensors?: readonly GgufTensor[];
  readonly dataBytes?: number;
}

/** Returns a GGUF file with keys of some types, and these tensors. */
export function gguf(parts: GgufParts = {}): Uint8Array<ArrayBuffer> {
  const { version = 3, littleEndian = true, alignment, tensors = GGUF_TENSORS, dataBytes = 160 } = parts;
  const writer = new GgufWriter(littleEndian).raw(new TextEncoder().encode("GGUF")).u32(version);
  writer.u64(tensors.length).u64(alignment === undefined ? 3 : 4);
  writer.text("general.architecture").u32(8).text("llama");
  writer.text("tokenizer.ggml.tokens").u32(9).u32(8).u64(3).text("a").text("b").text("ü");
  writer.text("tokenizer.ggml.scores").u32(9).u32(6).u64(2).u32(0).u32(0);
  if (alignment !== undefined) writer.text("general.alignment").u32(4).u32(alignment);
  for (const [name, type, shape, start] of tensors) {
    writer.text(name).u32(shape.length);
    for (const length of shape) writer.u64(length);
    writer.u32(type).u64(start);
  }
  return writer.pad(alignment || 32).raw(new Uint8Array(dataBytes)).bytes();
}

/** A tensor of 4 × 4 floats, and one of 64 elements packed in two blocks of 18 bytes. */
export const GGUF_TENSORS: readonly GgufTensor[] = [["a", 0, [4, 4], 0], ["b", 2, [64], 64]];
