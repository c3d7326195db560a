import type { Hash } from "node:crypto";
import type { ChunkList } from "./chunk_list.ts";
import type { ContentChunker } from "./content_chunker.ts";
import type { FileSystem } from "./files.ts";
import { readInto } from "./read_at.ts";
import { AT_ONCE_BYTES, readPieces } from "./read_pieces.ts";
import { giveBuffer, takeBuffer } from "./spare_buffers.ts";

/** Lower-case hexadecimal SHA-256, 64 characters. */
export type Sha256 = string;

/** A smaller file is downloaded as a whole within a second at 128 Mbit/s, so a list would only make manifests longer. */
export const CHUNKED_FILE_BYTES_MIN = 16 * 1024 * 1024;

/** The list of a larger file, of 5 MiB and more, would make manifests too long. */
const CHUNKED_FILE_BYTES_MAX = 64 * 1024 ** 3;

export interface FileDigest {
  readonly bytes: number;
  readonly sha256: Sha256;
  /** If they were wanted and {@link isChunked}. */
  readonly contentChunks?: ChunkList;
}

/** Returns the SHA-256 of a text. */
export async function sha256Hex(text: string): Promise<Sha256> {
  return await sha256OfBytes(new TextEncoder().encode(text));
}

/** Returns the SHA-256 of bytes in memory, computed in another thread. Needs no module, unlike {@link loadSha256Of}. */
export async function sha256OfBytes(bytes: Uint8Array<ArrayBuffer>): Promise<Sha256> {
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Returns whether a manifest lists the chunks of a file of this size. */
export function isChunked(bytes: number): boolean {
  return bytes >= CHUNKED_FILE_BYTES_MIN && bytes <= CHUNKED_FILE_BYTES_MAX;
}

/**
 * Returns the function for the SHA-256 of bytes in memory. For many small files, it takes a quarter of the time of a
 * {@link FileHasher} each.
 */
export async function loadSha256Of(): Promise<(bytes: Uint8Array) => Sha256> {
  const { createHash, hash } = await import("node:crypto");
  // Deno 2.6 may not have it.
  if (hash === undefined) return (bytes) => createHash("sha256").update(bytes).digest("hex");
  return (bytes) => hash("sha256", bytes, "hex");
}

/** With more small files, the functions of node:crypto take less time, although loading them takes 15 ms. */
const FEW_FILES = 16;

/** Computes the SHA-256 of small files, one after the other. */
export class SmallFileHasher {
  #count = 0;
  #sha256Of: ((bytes: Uint8Array) => Sha256) | undefined;

  async hash(content: Uint8Array): Promise<Sha256> {
    if (++this.#count <= FEW_FILES) return await sha256OfBytes(content.slice());
    return (this.#sha256Of ??= await loadSha256Of())(content);
  }
}

/** Computes a file's digest, and its chunks if they are wanted, in one pass. */
export class FileHasher {
  readonly #whole: Hash;
  readonly #chunker: ContentChunker | undefined;
  #bytes = 0;

  private constructor(whole: Hash, chunker?: ContentChunker) {
    this.#whole = whole;
    this.#chunker = chunker;
  }

  /**
   * Returns a new hasher. It uses node:crypto, because WebCrypto cannot stream. The module is loaded here, so that
   * commands that hash nothing start some milliseconds faster.
   */
  static async create(): Promise<FileHasher> {
    const { createHash } = await import("node:crypto");
    return new FileHasher(createHash("sha256"));
  }

  /**
   * As {@link create}, with the chunks of a file that a manifest will list. They cost 1.5 times the digest itself.
   *
   * @param expectedBytes decides only whether the chunks are computed
   */
  static async createForManifest(expectedBytes: number): Promise<FileHasher> {
    if (!isChunked(expectedBytes)) return await FileHasher.create();
    const [{ createHash }, { ContentChunker }] = await Promise.all([
      import("node:crypto"),
      import("./content_chunker.ts"),
    ]);
    const newHash = () => createHash("sha256");
    return new FileHasher(newHash(), new ContentChunker(newHash));
  }

  get bytes(): number {
    return this.#bytes;
  }

  update(data: Uint8Array): void {
    this.#bytes += data.length;
    this.#whole.update(data);
    this.#chunker?.update(data);
  }

  digest(): FileDigest {
    const sha256 = this.#whole.digest("hex");
    const bytes = this.#bytes;
    return this.#chunker === undefined
      ? { bytes, sha256 }
      : { bytes, sha256, contentChunks: this.#chunker.finish() };
  }
}

export interface HashOptions {
  readonly signal: AbortSignal;
  /** Called with every piece, in order, and awaited. The piece is valid only during the call. */
  readonly onBytes?: (piece: Uint8Array) => void | Promise<void>;
  /** Whether a manifest will list the file, so that its chunks are wanted. */
  readonly isForManifest?: boolean;
}

/**
 * Returns the digest of a whole file, up to {@link AT_ONCE_BYTES}; `undefined` for a longer one, which is then at its
 * beginning. Without waiting for another thread, a small file is read in a quarter of the time. Its bytes are only in the
 * buffer: those of many files, in memory of their own, would be collected too late.
 */
async function hashIfSmall(file: Deno.FsFile, { onBytes }: HashOptions): Promise<FileDigest | undefined> {
  const buffer = takeBuffer();
  try {
    const bytes = readInto(file, 0, buffer.subarray(0, AT_ONCE_BYTES + 1));
    if (bytes > AT_ONCE_BYTES) {
      file.seekSync(0, Deno.SeekMode.Start);
      return undefined;
    }
    const small = buffer.subarray(0, bytes);
    const sha256Of = await loadSha256Of();
    const sha256 = sha256Of(small);
    await onBytes?.(small);
    return { bytes, sha256 };
  } finally {
    giveBuffer(buffer);
  }
}

async function hasherOf(file: Deno.FsFile, { isForManifest = false }: HashOptions): Promise<FileHasher> {
  return isForManifest ? await FileHasher.createForManifest(file.statSync().size) : await FileHasher.create();
}

/** Returns a file's digest. It reads the next piece while it hashes the last one. Needs read permission. */
export async function hashFile(fs: FileSystem, path: string, options: HashOptions): Promise<FileDigest> {
  using file = fs.openSync(path, { read: true });
  const small = await hashIfSmall(file, options);
  if (small !== undefined) return small;
  const hasher = await hasherOf(file, options);
  for await (const piece of readPieces(file, options.signal)) {
    hasher.update(piece);
    await options.onBytes?.(piece);
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
  const hasher = await hasherOf(source, options);
  for await (const piece of readPieces(source, options.signal)) {
    const written = writeAll(target, piece);
    hasher.update(piece);
    await options.onBytes?.(piece);
    await written;
  }
  return hasher.digest();
}

/** Writes all of `data`. A single `write` may write only a part. */
export async function writeAll(file: Pick<Deno.FsFile, "write">, data: Uint8Array): Promise<void> {
  let offset = 0;
  while (offset < data.length) offset += await file.write(data.subarray(offset));
}
