import type { FileSystem } from "../core/files.ts";
import { type FileDigest, FileHasher } from "../core/hash.ts";
import { readPieces } from "../core/read_pieces.ts";

/**
 * Digests a file that arrives in several parts at once. Bytes that come just where it stands are taken as they pass;
 * those that came ahead are read from the file when it gets there.
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

  /** @param expectedBytes decides whether chunk digests are made, as {@link FileHasher.create} says */
  static async create(
    fs: FileSystem,
    path: string,
    signal: AbortSignal,
    expectedBytes: number,
  ): Promise<PrefixHasher> {
    return new PrefixHasher(fs, path, signal, await FileHasher.create(expectedBytes));
  }

  /** How many bytes, from the beginning, are digested. */
  get bytes(): number {
    return this.#hasher.bytes;
  }

  /** Sees bytes as they pass; they count only if they begin where the digest stands. */
  offer(offset: number, piece: Uint8Array): void {
    if (!this.#isCatchingUp && offset === this.#hasher.bytes) this.#hasher.update(piece);
  }

  /** Reads the file up to `end`, which has to be there. While one call is at it, another does nothing. */
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

  /** Ends the digest: nothing can be added afterwards. */
  digest(): FileDigest {
    return this.#hasher.digest();
  }
}
