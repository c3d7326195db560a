import type { FileSystem } from "../core/files.ts";
import { type FileDigest, FileHasher } from "../core/hash.ts";
import { readPieces } from "../core/read_pieces.ts";

/**
 * Computes the digest of a file that arrives in several parts at once. Bytes at the digest's position are hashed as
 * they arrive. Bytes that arrived ahead are read back from the file later.
 */
export class PrefixHasher {
  readonly #fs: FileSystem;
  readonly #path: string;
  readonly #signal: AbortSignal;
  readonly #hasher: FileHasher;
  #isCatchingUp = false;

  private constructor(fs: FileSystem, path: string, signal: AbortSignal, hasher: FileHasher) {
    this.#fs = fs;
    this.#path = path;
    this.#signal = signal;
    this.#hasher = hasher;
  }

  static async create(fs: FileSystem, path: string, signal: AbortSignal): Promise<PrefixHasher> {
    return new PrefixHasher(fs, path, signal, await FileHasher.create());
  }

  /** The number of bytes from the beginning that are hashed. */
  get bytes(): number {
    return this.#hasher.bytes;
  }

  /** Hashes received bytes if they begin at the digest's position. Otherwise it ignores them. */
  offer(offset: number, piece: Uint8Array): void {
    if (!this.#isCatchingUp && offset === this.#hasher.bytes) this.#hasher.update(piece);
  }

  /** Hashes the file up to `end`, which must have arrived. While one call runs, another does nothing. */
  async catchUp(end: number): Promise<void> {
    if (this.#isCatchingUp || this.#hasher.bytes >= end) return;
    this.#isCatchingUp = true;
    try {
      await this.#read(end);
    } finally {
      this.#isCatchingUp = false;
    }
  }

  async #read(end: number): Promise<void> {
    using file = await this.#fs.open(this.#path, { read: true });
    await file.seek(this.#hasher.bytes, Deno.SeekMode.Start);
    for await (const piece of readPieces(file, this.#signal, end - this.#hasher.bytes)) {
      this.#hasher.update(piece);
    }
    if (this.#hasher.bytes < end) {
      throw new Deno.errors.UnexpectedEof(`${this.#path} ends before byte ${end}`);
    }
  }

  /** Returns the digest. Nothing can be added afterwards. */
  digest(): FileDigest {
    return this.#hasher.digest();
  }
}
