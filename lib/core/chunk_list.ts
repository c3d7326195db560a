/**
 * The content-defined chunks of a file, as one text in a manifest: {@link CHUNK_LIST_FORMAT}, a colon, and the base64 of
 * one record per chunk, which is its size (3 bytes, big-endian) and the first 16 bytes of its SHA-256.
 *
 * A reader ignores a list of another format. So a later version may choose another format, with another name.
 */
export type ChunkList = string;

/** Names everything that decides on the boundaries and digests of `content_chunker.ts`: table, sizes and masks. */
export const CHUNK_LIST_FORMAT = "gear-256k";

/** The smallest chunk, except for the last one of a file. */
export const CHUNK_BYTES_MIN = 128 * 1024;
export const CHUNK_BYTES_MAX = 1024 * 1024;

const PREFIX = `${CHUNK_LIST_FORMAT}:`;
const SIZE_BYTES = 3;
const DIGEST_BYTES = 16;
const RECORD_BYTES = SIZE_BYTES + DIGEST_BYTES;

/** Collects chunks and writes their list. */
export class ChunkListWriter {
  #records = new Uint8Array(64 * RECORD_BYTES);
  #count = 0;

  /** Adds the next chunk. @param sha256 its digest, at least the 16 bytes that are kept */
  add(bytes: number, sha256: Uint8Array): void {
    const at = this.#count * RECORD_BYTES;
    if (at === this.#records.length) {
      const larger = new Uint8Array(2 * at);
      larger.set(this.#records);
      this.#records = larger;
    }
    this.#records.set([bytes >> 16, bytes >> 8, bytes], at);
    this.#records.set(sha256.subarray(0, DIGEST_BYTES), at + SIZE_BYTES);
    this.#count++;
  }

  toString(): ChunkList {
    return PREFIX + toBase64(this.#records.subarray(0, this.#count * RECORD_BYTES));
  }
}

/** The chunks of a list. They are kept as packed bytes: a list may have hundreds of thousands. */
export class Chunks {
  readonly count: number;
  readonly #records: string;
  readonly #starts: Float64Array;

  private constructor(records: string, starts: Float64Array) {
    this.count = starts.length - 1;
    this.#records = records;
    this.#starts = starts;
  }

  /**
   * Reads the list of a file of `bytes`.
   *
   * @returns `undefined` for a list of another format, which no error is made of
   * @throws {RangeError} if the list is not one of this file; the message completes "the chunk list …"
   */
  static read(list: ChunkList, bytes: number): Chunks | undefined {
    if (!list.startsWith(PREFIX)) return undefined;
    const records = fromBase64(list.slice(PREFIX.length));
    if (records === undefined || records.length % RECORD_BYTES !== 0) throw new RangeError("is damaged");
    const count = records.length / RECORD_BYTES;
    const starts = new Float64Array(count + 1);
    let at = 0;
    for (let index = 0; index < count; index++) {
      const size = sizeAt(records, index * RECORD_BYTES);
      const isLast = index === count - 1;
      if (size > CHUNK_BYTES_MAX || size < (isLast ? 1 : CHUNK_BYTES_MIN)) {
        throw new RangeError(`has a chunk of ${size} bytes`);
      }
      starts[index + 1] = at += size;
    }
    if (at !== bytes) throw new RangeError(`covers ${at} of ${bytes} bytes`);
    return new Chunks(records, starts);
  }

  /** The offset of a chunk's first byte. For {@link count}, the size of the file. */
  start(index: number): number {
    return this.#starts[index] ?? 0;
  }

  end(index: number): number {
    return this.start(index + 1);
  }

  /** The first 16 bytes of a chunk's SHA-256, each as one character, as node:crypto writes them with `digest("binary")`. */
  key(index: number): string {
    const at = index * RECORD_BYTES + SIZE_BYTES;
    return this.#records.slice(at, at + DIGEST_BYTES);
  }
}

/** Returns the {@link Chunks.key} of a chunk's SHA-256. */
export function chunkKey(binaryDigest: string): string {
  return binaryDigest.slice(0, DIGEST_BYTES);
}

/** Returns the chunks of a list; `undefined` without a list, or for one of another file or format. */
export function readChunks(list: ChunkList | undefined, bytes: number): Chunks | undefined {
  try {
    return list === undefined ? undefined : Chunks.read(list, bytes);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Returns why a list is not one of a file of `bytes`; `undefined` if it is, or if it is of another format. */
export function chunkListProblem(list: ChunkList, bytes: number): string | undefined {
  try {
    Chunks.read(list, bytes);
    return undefined;
  } catch (error) {
    if (error instanceof RangeError) return error.message;
    throw error;
  }
}

function sizeAt(records: string, at: number): number {
  return (records.charCodeAt(at) << 16) | (records.charCodeAt(at + 1) << 8) | records.charCodeAt(at + 2);
}

/** A multiple of three, so that the texts of the pieces can be joined, and within the arguments of one call. */
const PIECE_BYTES = 3 * 8192;

function toBase64(bytes: Uint8Array): string {
  const texts: string[] = [];
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    texts.push(btoa(String.fromCharCode(...bytes.subarray(at, at + PIECE_BYTES))));
  }
  return texts.join("");
}

function fromBase64(text: string): string | undefined {
  try {
    return atob(text);
  } catch (error) {
    if (error instanceof DOMException) return undefined;
    throw error;
  }
}

/** Returns what is wrong with the first bad chunk list of these files; `undefined` if all are good. */
export function chunkListsProblem(
  files: Iterable<
    { readonly path: string; readonly size: number; readonly contentChunks?: string | undefined }
  >,
): string | undefined {
  for (const { path, size, contentChunks } of files) {
    const problem = contentChunks === undefined ? undefined : chunkListProblem(contentChunks, size);
    if (problem !== undefined) return `the chunk list of ${path} ${problem}`;
  }
  return undefined;
}
