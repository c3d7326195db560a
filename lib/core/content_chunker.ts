import type { Hash } from "node:crypto";
import { CHUNK_BYTES_MAX, CHUNK_BYTES_MIN, type ChunkList, ChunkListWriter } from "./chunk_list.ts";

/**
 * The size that chunks are drawn to: with 256 KiB, a change costs about as much beside it, and a manifest grows by
 * 85 KiB for each GiB. Half the size doubles the one and halves the other.
 */
const CHUNK_BYTES_NORMAL = 256 * 1024;

/**
 * A chunk ends where these bits of the fingerprint are zero: 20 bits before the normal size, 16 after it. The highest
 * bits depend on the most bytes.
 */
const STRICT_MASK = -1 << 12;
const LOOSE_MASK = -1 << 16;

/** A random number for each byte. It must never change: it decides on the boundaries of all published lists. */
const GEAR = Int32Array.from({ length: 256 }, (_, byte) => scramble(byte + 1));

/** The finalizer of MurmurHash3: every bit of the result depends on every bit of the number. */
function scramble(number: number): number {
  let mixed = Math.imul(number, 0x9e3779b1);
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

/**
 * Cuts a stream into chunks whose boundaries depend on the nearby content only, so that the same content has the same
 * chunks wherever it is in a file. The algorithm is FastCDC (Xia et al., 2016): a gear hash, no boundary before a
 * minimum size, sizes drawn to the normal one.
 */
export class ContentChunker {
  readonly #newHash: () => Hash;
  readonly #list = new ChunkListWriter();
  #hash: Hash;
  #chunkBytes = 0;
  #fingerprint = 0;

  constructor(newHash: () => Hash) {
    this.#newHash = newHash;
    this.#hash = newHash();
  }

  update(data: Uint8Array): void {
    for (let start = 0; start < data.length;) {
      const boundary = this.#findBoundary(data, start);
      const end = boundary ?? data.length;
      this.#hash.update(data.subarray(start, end));
      this.#chunkBytes += end - start;
      start = end;
      if (boundary !== undefined) this.#endChunk();
    }
  }

  /** Returns the list of all chunks. Nothing can be added afterwards. */
  finish(): ChunkList {
    if (this.#chunkBytes > 0) this.#endChunk();
    return this.#list.toString();
  }

  #endChunk(): void {
    this.#list.add(this.#chunkBytes, this.#hash.digest());
    this.#hash = this.#newHash();
    this.#chunkBytes = 0;
    this.#fingerprint = 0;
  }

  /** Returns where the chunk that goes on at `start` ends; `undefined` if that is not within the data. */
  #findBoundary(data: Uint8Array, start: number): number | undefined {
    const offsetOf = (chunkBytes: number) => start + Math.max(0, chunkBytes - this.#chunkBytes);
    const latest = offsetOf(CHUNK_BYTES_MAX);
    const end = Math.min(data.length, latest);
    const normal = Math.min(end, offsetOf(CHUNK_BYTES_NORMAL));
    let fingerprint = this.#fingerprint;
    let at = Math.min(end, offsetOf(CHUNK_BYTES_MIN));
    while (at < normal) {
      fingerprint = (fingerprint << 1) + (GEAR[data[at++] ?? 0] ?? 0) | 0;
      if ((fingerprint & STRICT_MASK) === 0) return at;
    }
    while (at < end) {
      fingerprint = (fingerprint << 1) + (GEAR[data[at++] ?? 0] ?? 0) | 0;
      if ((fingerprint & LOOSE_MASK) === 0) return at;
    }
    this.#fingerprint = fingerprint;
    return end === latest ? latest : undefined;
  }
}
