import { readPieces } from "../core/read_pieces.ts";
import type { FileSystem } from "../core/files.ts";

/**
 * A file as the body of a request. Its length is announced, as storage requires, and it is read while it is sent: the
 * runtime's own blobs of files are read into memory. Needs read permission.
 */
export class FileBlob extends Blob {
  readonly #fs: Pick<FileSystem, "open">;
  readonly #path: string;
  readonly #bytes: number;
  readonly #signal: AbortSignal;

  /** @param bytes the file's size, which must not change */
  constructor(
    { fs, signal }: { readonly fs: Pick<FileSystem, "open">; readonly signal: AbortSignal },
    path: string,
    bytes: number,
  ) {
    super();
    this.#fs = fs;
    this.#path = path;
    this.#bytes = bytes;
    this.#signal = signal;
  }

  override get size(): number {
    return this.#bytes;
  }

  override stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return ReadableStream.from(this.#pieces());
  }

  async *#pieces(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    using file = await this.#fs.open(this.#path, { read: true });
    // A copy, because the receiver keeps a piece longer than the reader keeps its buffer.
    for await (const piece of readPieces(file, this.#signal)) yield piece.slice();
  }
}
