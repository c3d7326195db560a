import { RefusedError } from "../core/errors.ts";
import type { FileSystem } from "../core/files.ts";
import type { Sha256 } from "../core/hash.ts";

/** A file that was hashed for publishing. */
export interface BlobFile {
  /** The path in the repository. */
  readonly path: string;
  readonly location: string;
  readonly size: number;
  readonly sha256: Sha256;
}

/** Callbacks about the reading of a blob. */
export interface BlobWatcher {
  readonly onBytes: (doneBytes: number) => void;
  /** Called with the error of a failed read: `fetch` reports only that its body failed. */
  readonly onFailure: (error: unknown) => void;
}

/** Large enough for few system calls, and small enough for many files at once. */
const PIECE_BYTES = 256 * 1024;

/**
 * A file, or a span of it, as a `Blob` whose bytes are read from the disk each time. The upload package and `fetch`
 * accept it like any other blob. Nothing of it is kept in memory. Needs read permission.
 */
export class HashedFileBlob extends Blob {
  readonly file: BlobFile;
  readonly start: number;
  readonly #fs: FileSystem;
  readonly #end: number;
  readonly #watcher: BlobWatcher | undefined;

  constructor(
    fs: FileSystem,
    file: BlobFile,
    span?: { readonly start: number; readonly end: number },
    watcher?: BlobWatcher,
  ) {
    super();
    this.#fs = fs;
    this.file = file;
    this.start = span?.start ?? 0;
    this.#end = span?.end ?? file.size;
    this.#watcher = watcher;
  }

  override get size(): number {
    return this.#end - this.start;
  }

  /** Returns a blob of the same bytes that calls back as they are read. */
  watched(watcher: BlobWatcher): HashedFileBlob {
    return new HashedFileBlob(this.#fs, this.file, { start: this.start, end: this.#end }, watcher);
  }

  override slice(start = 0, end = this.size): HashedFileBlob {
    const clamp = (offset: number) =>
      Math.min(this.size, Math.max(0, offset < 0 ? this.size + offset : offset));
    const from = clamp(start);
    const span = { start: this.start + from, end: this.start + Math.max(from, clamp(end)) };
    return new HashedFileBlob(this.#fs, this.file, span);
  }

  override stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    let opened: Deno.FsFile | undefined;
    let next = this.start;
    return new ReadableStream({
      pull: async (controller) => {
        try {
          if (opened === undefined) {
            opened = await this.#fs.open(this.file.location, { read: true });
            await opened.seek(next, Deno.SeekMode.Start);
          }
          const piece = new Uint8Array(Math.min(PIECE_BYTES, this.#end - next));
          const count = piece.length === 0 ? null : await opened.read(piece);
          if (count !== null) {
            next += count;
            controller.enqueue(piece.subarray(0, count));
            this.#watcher?.onBytes(next - this.start);
          } else if (next < this.#end) throw fileChanged(this.file);
          if (next < this.#end) return;
          opened.close();
          controller.close();
        } catch (error) {
          opened?.close();
          const failure = error instanceof Deno.errors.NotFound ? fileChanged(this.file) : error;
          this.#watcher?.onFailure(failure);
          throw failure;
        }
      },
      cancel: () => opened?.close(),
    }, { highWaterMark: 0 });
  }

  /** Returns all bytes of a small file, compared with the digest. Large files are never read whole. */
  override async arrayBuffer(): Promise<ArrayBuffer> {
    const bytes = new Uint8Array(this.size);
    let filled = 0;
    for await (const piece of this.stream()) {
      bytes.set(piece, filled);
      filled += piece.length;
    }
    if (this.size === this.file.size && await sha256Of(bytes) !== this.file.sha256) {
      throw fileChanged(this.file);
    }
    return bytes.buffer;
  }

  override async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return new Uint8Array(await this.arrayBuffer());
  }

  override async text(): Promise<string> {
    return new TextDecoder().decode(await this.arrayBuffer());
  }
}

/** Returns the error for a file that has changed since it was hashed. */
export function fileChanged({ path, location }: Pick<BlobFile, "path" | "location">): RefusedError {
  return new RefusedError(`Cannot upload ${path}: ${location} changed while it was being published`, {
    code: "FILE_CHANGED",
    hint: "wait until the training has ended, then run again",
  });
}

async function sha256Of(bytes: Uint8Array<ArrayBuffer>): Promise<Sha256> {
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
