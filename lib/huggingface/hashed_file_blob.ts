import { changedFile, isGone } from "../core/changed_file.ts";
import { type FileSystem, ifFound } from "../core/files.ts";
import { FileHasher, type Sha256 } from "../core/hash.ts";
import { type FileStat, timesOf } from "../release/scan_folder.ts";

/** A file that was hashed for publishing. */
export interface BlobFile {
  /** The path in the repository. */
  readonly path: string;
  readonly location: string;
  readonly size: number;
  readonly sha256: Sha256;
  /** What the file system told about the file before it was hashed. */
  readonly info: FileStat | undefined;
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
 * A file, or a span of it, as a `Blob` whose bytes are read from the disk each time. `fetch` accepts it like any other
 * blob, and sends its size first, which storage requires. Nothing of it is kept in memory. A whole file is compared with
 * its digest while it is read: if it has changed, its last piece is never read. Needs read permission.
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
    const pieces = this.#pieces();
    return new ReadableStream({
      pull: async (controller) => {
        try {
          const { value, done } = await pieces.next();
          if (done) return controller.close();
          controller.enqueue(value);
        } catch (error) {
          const failure = isGone(error) ? changedFile(this.file.path) : error;
          this.#watcher?.onFailure(failure);
          throw failure;
        }
      },
      cancel: async () => void await pieces.return(undefined),
    }, { highWaterMark: 0 });
  }

  async *#pieces(): AsyncGenerator<Uint8Array<ArrayBuffer>, undefined> {
    const isWhole = this.size === this.file.size;
    using file = await this.#fs.open(this.file.location, { read: true });
    const hasher = await FileHasher.create();
    await file.seek(this.start, Deno.SeekMode.Start);
    for (let next = this.start; next < this.#end;) {
      const buffer = new Uint8Array(Math.min(PIECE_BYTES, this.#end - next));
      const count = await file.read(buffer);
      if (count === null) throw changedFile(this.file.path);
      const piece = buffer.subarray(0, count);
      if (isWhole) hasher.update(piece);
      next += count;
      if (isWhole && next === this.#end && hasher.digest().sha256 !== this.file.sha256) {
        throw changedFile(this.file.path);
      }
      yield piece;
      this.#watcher?.onBytes(next - this.start);
    }
  }

  /** Returns all bytes of a small file. */
  override async arrayBuffer(): Promise<ArrayBuffer> {
    const bytes = new Uint8Array(this.size);
    let filled = 0;
    for await (const piece of this.stream()) {
      bytes.set(piece, filled);
      filled += piece.length;
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

/**
 * Refuses a file that has been written since it was hashed. Its change time does not count: a hard link changes it, too.
 *
 * @throws {FailedError} code `MODELS_CHANGING`
 */
export function refuseChanged(fs: FileSystem, file: BlobFile): void {
  const now = ifFound(() => fs.statSync(file.location));
  const before = file.info;
  const isSame = now !== undefined && now.size === before?.size && now.ino === before.ino &&
    timesOf(now).mtimeMs === before.mtimeMs;
  if (!isSame) {
    throw changedFile(file.path);
  }
}
