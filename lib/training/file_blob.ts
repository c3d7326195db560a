import { readPieces } from "../core/read_pieces.ts";
import type { FileSystem } from "../core/files.ts";

/**
 * A file as the body of a request: its length is announced, as storage wants it, and it is read while it is sent, which
 * the runtime's own blobs of files are not. Needs read permission.
 */
export class FileBlob extends Blob {
  readonly #fs: Pick<FileSystem, "open">;
  readonly #path: string;
  readonly #bytes: number;
  readonly #signal: AbortSignal;

  /** @param bytes its size, which must not change any more */
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
    // Whoever sends it keeps a piece for longer than the reader's buffer lives.
    for await (const piece of readPieces(file, this.#signal)) yield piece.slice();
  }
}
