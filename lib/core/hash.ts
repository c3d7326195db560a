import type { Hash } from "node:crypto";
import type { FileSystem } from "./files.ts";
import { readPieces } from "./read_pieces.ts";

/** Lower-case hexadecimal SHA-256, 64 characters. */
export type Sha256 = string;

/** The chunk size by which an interrupted download is verified and continued. 16 MiB take one second at 128 Mbit/s. */
export const CHUNK_BYTES = 16 * 1024 * 1024;

/** Smaller files are downloaded again as a whole, so chunk digests would only make manifests longer. */
export const CHUNKED_FILE_BYTES_MIN = 64 * 1024 * 1024;

export interface FileDigest {
  readonly bytes: number;
  readonly sha256: Sha256;
  /** SHA-256 of each chunk of {@link CHUNK_BYTES}, for files over {@link CHUNKED_FILE_BYTES_MIN}. */
  readonly chunks?: readonly Sha256[];
}

/** Returns the SHA-256 of a text. */
export async function sha256Hex(text: string): Promise<Sha256> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Computes a file's digest and chunk digests in one pass. */
export class FileHasher {
  readonly #newHash: () => Hash;
  readonly #whole: Hash;
  readonly #chunks: Sha256[] | undefined;
  #chunk: Hash;
  #chunkBytes = 0;
  #bytes = 0;

  private constructor(newHash: () => Hash, expectedBytes: number) {
    this.#newHash = newHash;
    this.#whole = newHash();
    this.#chunk = newHash();
    this.#chunks = expectedBytes > CHUNKED_FILE_BYTES_MIN ? [] : undefined;
  }

  /**
   * Returns a new hasher. It uses node:crypto, because WebCrypto cannot stream. The module is loaded here, so that
   * commands that hash nothing start some milliseconds faster.
   *
   * @param expectedBytes decides only whether chunk digests are computed
   */
  static async create(expectedBytes: number): Promise<FileHasher> {
    const { createHash } = await import("node:crypto");
    return new FileHasher(() => createHash("sha256"), expectedBytes);
  }

  get bytes(): number {
    return this.#bytes;
  }

  update(data: Uint8Array): void {
    this.#bytes += data.length;
    this.#whole.update(data);
    if (this.#chunks !== undefined) this.#updateChunks(data, this.#chunks);
  }

  digest(): FileDigest {
    const sha256 = this.#whole.digest("hex");
    if (this.#chunks === undefined) return { bytes: this.#bytes, sha256 };
    if (this.#chunkBytes > 0) this.#chunks.push(this.#chunk.digest("hex"));
    return { bytes: this.#bytes, sha256, chunks: this.#chunks };
  }

  #updateChunks(data: Uint8Array, chunks: Sha256[]): void {
    let offset = 0;
    while (offset < data.length) {
      const piece = data.subarray(offset, offset + CHUNK_BYTES - this.#chunkBytes);
      this.#chunk.update(piece);
      this.#chunkBytes += piece.length;
      offset += piece.length;
      if (this.#chunkBytes === CHUNK_BYTES) {
        chunks.push(this.#chunk.digest("hex"));
        this.#chunk = this.#newHash();
        this.#chunkBytes = 0;
      }
    }
  }
}

export interface HashOptions {
  readonly signal: AbortSignal;
  /** Called with every piece, in order. The piece is valid only during the call. */
  readonly onBytes?: (piece: Uint8Array) => void;
}

/** Returns a file's digest. It reads the next piece while it hashes the last one. Needs read permission. */
export async function hashFile(fs: FileSystem, path: string, options: HashOptions): Promise<FileDigest> {
  using file = await fs.open(path, { read: true });
  const hasher = await FileHasher.create(file.statSync().size);
  for await (const piece of readPieces(file, options.signal)) {
    hasher.update(piece);
    options.onBytes?.(piece);
  }
  return hasher.digest();
}

/**
 * Copies a file and returns the digest of the written bytes, in one pass. The caller syncs the copy to the disk. Needs
 * read and write permission.
 *
 * @throws {Deno.errors.AlreadyExists} when `to` exists
 */
export async function copyAndHash(
  fs: FileSystem,
  from: string,
  to: string,
  options: HashOptions,
): Promise<FileDigest> {
  using source = await fs.open(from, { read: true });
  using target = await fs.open(to, { write: true, createNew: true });
  const hasher = await FileHasher.create(source.statSync().size);
  for await (const piece of readPieces(source, options.signal)) {
    const written = writeAll(target, piece);
    hasher.update(piece);
    options.onBytes?.(piece);
    await written;
  }
  return hasher.digest();
}

/** Writes all of `data`. A single `write` may write only a part. */
export async function writeAll(file: Pick<Deno.FsFile, "write">, data: Uint8Array): Promise<void> {
  let offset = 0;
  while (offset < data.length) offset += await file.write(data.subarray(offset));
}
