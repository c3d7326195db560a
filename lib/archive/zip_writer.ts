import { dirname } from "node:path";
import { changedFile, readListed } from "../core/changed_file.ts";
import type { Context } from "../core/context.ts";
import { diskError, RefusedError } from "../core/errors.ts";
import { removeIfThere, syncFolder } from "../core/files.ts";
import { type FileDigest, FileHasher, writeAll } from "../core/hash.ts";
import { compareUtf8, findPathCollision, portablePathProblem } from "../core/portable_path.ts";
import { quote } from "../core/quote.ts";
import { readAt, readInto } from "../core/read_at.ts";
import { AT_ONCE_BYTES, readRange } from "../core/read_pieces.ts";
import { centralHeader, endRecords, localHeader, type WrittenEntry } from "./zip_records.ts";
import { pieceBytesFor, zlibPieces } from "./zlib_pieces.ts";

type Zlib = typeof import("node:zlib");

/** A file to archive. */
export interface ZipInput {
  /** Its name in the archive: portable, relative, separated by `/`. */
  readonly path: string;
  /** Its path on the disk. */
  readonly location: string;
}

/** A file of a written archive. */
export type ZippedFile = FileDigest & { readonly path: string };

export interface ZipOptions {
  /** Returns small text files that are derived from the digests. They follow the other files. */
  readonly trailer?: (
    digests: readonly ZippedFile[],
  ) => Promise<readonly { readonly path: string; readonly text: string }[]>;
  /** Called with the number of bytes read so far. */
  readonly onBytes?: (doneBytes: number) => void;
}

/** The default of deflate and of `zip`. */
const DEFLATE_LEVEL = 6;

/** Enough to test whether a file compresses, in two milliseconds. */
const SAMPLE_BYTES = 64 * 1024;

/** The sample of a large file is taken in this many places, because its beginning may be a header of text. */
const SAMPLE_PLACES = 4;

/**
 * Weights shrink by a fifth at most (float32 0.93, float16 0.92, bfloat16 0.80, int8 0.93), and deflating them is 20
 * times slower than storing. A client can download the changed parts of a stored file.
 */
const WORTHWHILE_RATIO = 0.75;

/** From this size on, 64-bit sizes are written. Compressed contents may be slightly larger than the file. */
const LONG_BYTES_MIN = 0xff000000;

/**
 * Writes a reproducible ZIP: the same files give the same bytes, as long as the runtime's zlib is the same. Entries are
 * sorted by the bytes of their paths and have a fixed time and mode. Each file is read once. A sample decides whether it
 * is stored or deflated. The archive is written beside `target`, synced and renamed, so a crash leaves the
 * old one or the new one. Needs read and write permission.
 *
 * @returns the archive's size, and the digests of the files, sorted, without those of the trailer
 * @throws {RefusedError} code `ARCHIVE_UNSAFE`, if a path is not portable or two collide
 * @throws {FailedError} code `MODELS_CHANGING`, if a file changes during the read
 */
export async function writeZip(
  context: Pick<Context, "fs" | "signal">,
  target: string,
  files: readonly ZipInput[],
  options: ZipOptions = {},
): Promise<{ bytes: number; files: readonly ZippedFile[] }> {
  const sorted = [...files].sort((a, b) => compareUtf8(a.path, b.path));
  checkPaths(target, sorted.map(({ path }) => path));
  const temporary = `${target}.new`;
  try {
    // A named pipe would wait for a reader.
    removeIfThere(context.fs, temporary);
    const result = await writeSynced(context, { target, temporary }, sorted, options);
    context.fs.renameSync(temporary, target);
    syncFolder(context.fs, dirname(target));
    return result;
  } catch (error) {
    removeIfThere(context.fs, temporary);
    throw diskError(error, `write ${target}`);
  }
}

function checkPaths(target: string, paths: readonly string[]): void {
  const refuse = (problem: string) =>
    new RefusedError(`Cannot write archive ${target}: ${problem}`, { code: "ARCHIVE_UNSAFE" });
  for (const path of paths) {
    const problem = portablePathProblem(path);
    if (problem !== undefined) throw refuse(`${quote(path)} ${problem}`);
  }
  const collision = findPathCollision(paths);
  if (collision === undefined) return;
  throw refuse(`${quote(collision.first)} and ${quote(collision.second)} ${collision.reason}`);
}

async function writeSynced(
  { fs, signal }: Pick<Context, "fs" | "signal">,
  { target, temporary }: { readonly target: string; readonly temporary: string },
  files: readonly ZipInput[],
  { trailer, onBytes }: ZipOptions,
): Promise<{ bytes: number; files: readonly ZippedFile[] }> {
  using file = await fs.open(temporary, { write: true, create: true, truncate: true });
  // Loaded here, because node:zlib would cost every start 30 ms.
  const output = new ZipOutput(file, await import("node:zlib"));
  const digests: ZippedFile[] = [];
  let doneBytes = 0;
  const onPiece = (bytes: number) => onBytes?.(doneBytes += bytes);
  for (const { path, location } of files) {
    const add = async () => {
      using source = fs.openSync(location, { read: true });
      const { size } = source.statSync();
      const pieces = readRange(source, { offset: 0, bytes: size }, signal);
      const digest = await output.add(path, size, readSample(source, size), pieces, onPiece);
      if (digest.bytes !== size || source.statSync().size !== size) throw changedFile(path);
      return digest;
    };
    digests.push({ path, ...await readListed(fs, { path, location }, add) });
  }
  const texts = await trailer?.(digests) ?? [];
  checkPaths(target, [...files, ...texts].map(({ path }) => path));
  for (const { path, text } of texts) {
    const bytes = new TextEncoder().encode(text);
    await output.add(path, bytes.length, bytes.subarray(0, SAMPLE_BYTES), asPieces(bytes), () => {});
  }
  const bytes = output.finish();
  await file.sync();
  return { bytes, files: digests };
}

async function* asPieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** A ZIP that is written entry by entry. */
class ZipOutput {
  readonly #file: Deno.FsFile;
  readonly #zlib: Zlib;
  readonly #entries: WrittenEntry[] = [];
  #at = 0;

  constructor(file: Deno.FsFile, zlib: Zlib) {
    this.#file = file;
    this.#zlib = zlib;
  }

  /** Adds a file. Its header is rewritten once its contents are known. */
  async add(
    path: string,
    size: number,
    sample: Uint8Array,
    pieces: AsyncGenerator<Uint8Array>,
    onPiece: (bytes: number) => void,
  ): Promise<FileDigest> {
    const announced: WrittenEntry = {
      name: new TextEncoder().encode(path),
      method: isCompressible(sample, this.#zlib) ? "deflated" : "stored",
      crc: 0,
      bytes: size,
      compressedBytes: size,
      headerOffset: this.#at,
      isLong: size >= LONG_BYTES_MIN,
    };
    const header = localHeader(announced);
    this.#writeSync(header);
    const measure = await ContentMeasure.create(this.#zlib, size, onPiece);
    const start = this.#at;
    if (announced.method === "stored") await this.#store(pieces, measure);
    else await this.#deflate(pieces, measure, size);
    const { crc, digest } = measure.finish();
    const entry = { ...announced, crc, bytes: digest.bytes, compressedBytes: this.#at - start };
    this.#entries.push(entry);
    this.#rewrite(localHeader(entry), entry.headerOffset);
    return digest;
  }

  /** Writes the directory, and returns the size of the archive. */
  finish(): number {
    const offset = this.#at;
    for (const entry of this.#entries) this.#writeSync(centralHeader(entry));
    this.#writeSync(endRecords({ count: this.#entries.length, offset, bytes: this.#at - offset }));
    return this.#at;
  }

  async #store(pieces: AsyncIterable<Uint8Array>, measure: ContentMeasure): Promise<void> {
    for await (const piece of pieces) {
      const written = this.#write(piece);
      measure.add(piece);
      await written;
    }
  }

  async #deflate(pieces: AsyncIterable<Uint8Array>, measure: ContentMeasure, size: number): Promise<void> {
    const engine = this.#zlib.createDeflateRaw({ level: DEFLATE_LEVEL, chunkSize: pieceBytesFor(size) });
    for await (const piece of zlibPieces(engine, measure.passing(pieces))) {
      await this.#write(piece);
    }
  }

  async #write(piece: Uint8Array): Promise<void> {
    if (piece.length <= AT_ONCE_BYTES) return this.#writeSync(piece);
    await writeAll(this.#file, piece);
    this.#at += piece.length;
  }

  #writeSync(bytes: Uint8Array): void {
    for (let offset = 0; offset < bytes.length;) offset += this.#file.writeSync(bytes.subarray(offset));
    this.#at += bytes.length;
  }

  #rewrite(bytes: Uint8Array, offset: number): void {
    const end = this.#at;
    this.#file.seekSync(offset, Deno.SeekMode.Start);
    this.#writeSync(bytes);
    this.#file.seekSync(end, Deno.SeekMode.Start);
    this.#at = end;
  }
}

/** Returns a small file's beginning, or pieces from the inside of a large one. */
function readSample(file: Deno.FsFile, size: number): Uint8Array {
  if (size < 2 * SAMPLE_BYTES) return readAt(file, 0, Math.min(size, SAMPLE_BYTES));
  const bytes = SAMPLE_BYTES / SAMPLE_PLACES;
  const sample = new Uint8Array(SAMPLE_BYTES);
  for (let place = 0; place < SAMPLE_PLACES; place++) {
    const offset = Math.floor((size - bytes) * (place + 1) / (SAMPLE_PLACES + 1));
    readInto(file, offset, sample.subarray(place * bytes, (place + 1) * bytes));
  }
  return sample;
}

function isCompressible(sample: Uint8Array, { deflateRawSync }: Zlib): boolean {
  return deflateRawSync(sample, { level: 1 }).length < sample.length * WORTHWHILE_RATIO;
}

/** Computes checksum and digest of contents while they are written. */
class ContentMeasure {
  readonly #crc32: Zlib["crc32"];
  readonly #hasher: FileHasher;
  readonly #onPiece: (bytes: number) => void;
  #crc = 0;

  private constructor({ crc32 }: Zlib, hasher: FileHasher, onPiece: (bytes: number) => void) {
    this.#crc32 = crc32;
    this.#hasher = hasher;
    this.#onPiece = onPiece;
  }

  static async create(
    zlib: Zlib,
    expectedBytes: number,
    onPiece: (bytes: number) => void,
  ): Promise<ContentMeasure> {
    return new ContentMeasure(zlib, await FileHasher.createForManifest(expectedBytes), onPiece);
  }

  add(piece: Uint8Array): void {
    this.#crc = this.#crc32(piece, this.#crc);
    this.#hasher.update(piece);
    this.#onPiece(piece.length);
  }

  async *passing(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const piece of pieces) {
      this.add(piece);
      yield piece;
    }
  }

  finish(): { readonly crc: number; readonly digest: FileDigest } {
    return { crc: this.#crc, digest: this.#hasher.digest() };
  }
}
