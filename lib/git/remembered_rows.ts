import { compareBytes } from "../core/compare_bytes.ts";
import { FileHasher, type Sha256 } from "../core/hash.ts";
import { SHA256_DIGITS, sha256At } from "../core/sha256_column.ts";
import { type DigestedFile, lineOf, prefixOf, sortRows } from "../release/digest_lines.ts";
import type { Digest } from "../release/manifest.ts";
import type { RememberedFiles, RowPlace } from "../release/rescan_folder.ts";
import type { IndexRows } from "./index_file.ts";

const DIGEST_BYTES = SHA256_DIGITS / 2;
/** The bytes that are hashed at once. */
const PIECE_BYTES = 64 * 1024;
const NEWLINE = Uint8Array.of(10);

/** The sizes and digests of the files in an index: row `i` of each column belongs to entry `i`. */
export interface DigestColumns {
  readonly sizes: Float64Array;
  /** {@link SHA256_DIGITS} hexadecimal digits a file, one after the other. */
  readonly sha256s: string;
  /** The same digests as bytes. */
  readonly bytes: DataView;
}

/** The remembered files of a folder, as columns: an object for each of many files would cost more than the files that changed. */
export class RememberedRows implements RememberedFiles {
  readonly index: IndexRows;
  readonly #columns: DigestColumns;
  #paths: readonly string[] | undefined;

  constructor(index: IndexRows, columns: DigestColumns) {
    this.index = index;
    this.#columns = columns;
  }

  get count(): number {
    return this.index.count;
  }

  pathAt(row: number): string {
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(this.index.pathBytes(row));
  }

  sizeAt(row: number): number {
    return this.#columns.sizes[row] ?? 0;
  }

  sha256At(row: number): Sha256 {
    return sha256At(this.#columns.sha256s, row);
  }

  paths(): readonly string[] {
    return this.#paths ??= this.index.paths();
  }

  placeOf(path: string): RowPlace {
    const bytes = new TextEncoder().encode(path);
    let low = 0;
    let high = this.count;
    while (low < high) {
      const row = (low + high) >> 1;
      const order = compareBytes(this.index.pathBytes(row), bytes);
      if (order === 0) return { row, isTaken: true };
      if (order < 0) low = row + 1;
      else high = row;
    }
    return { row: low, isTaken: false };
  }

  async digestWith(dropped: ReadonlySet<number>, others: readonly DigestedFile[]): Promise<Digest> {
    const { count } = this;
    const rows: number[] = [];
    for (let row = 0; row < count + others.length; row++) if (!dropped.has(row)) rows.push(row);
    const { bytes, sha256s } = this.#columns;
    const prefixAt = (row: number) =>
      row < count ? bytes.getUint32(row * DIGEST_BYTES) : prefixOf(others[row - count]?.sha256 ?? "");
    const lineAt = (row: number) => lineOf(others[row - count] ?? this.#fileAt(row));
    const encoder = new TextEncoder();
    const digits = encoder.encode(sha256s);
    const lines = new LineHasher(await FileHasher.create());
    for (const row of sortRows(rows, prefixAt, lineAt)) {
      if (row >= count) lines.add(encoder.encode(lineAt(row)));
      else {
        const sha256 = digits.subarray(row * SHA256_DIGITS, (row + 1) * SHA256_DIGITS);
        lines.addParts(sha256, `  ${this.sizeAt(row)}  `, this.index.pathBytes(row));
      }
    }
    return `sha256:${lines.finish()}`;
  }

  #fileAt(row: number): DigestedFile {
    return { path: this.pathAt(row), size: this.sizeAt(row), sha256: this.sha256At(row) };
  }
}

/** Hashes lines in large pieces. */
class LineHasher {
  readonly #hasher: FileHasher;
  readonly #encoder = new TextEncoder();
  readonly #piece = new Uint8Array(PIECE_BYTES);
  #length = 0;

  constructor(hasher: FileHasher) {
    this.#hasher = hasher;
  }

  add(bytes: Uint8Array): void {
    if (this.#length + bytes.length > PIECE_BYTES) this.#flush();
    if (bytes.length > PIECE_BYTES) return this.#hasher.update(bytes);
    this.#piece.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  addParts(sha256: Uint8Array, size: string, path: Uint8Array): void {
    this.add(sha256);
    if (this.#length + size.length > PIECE_BYTES) this.#flush();
    this.#length += this.#encoder.encodeInto(size, this.#piece.subarray(this.#length)).written;
    this.add(path);
    this.add(NEWLINE);
  }

  finish(): Sha256 {
    this.#flush();
    return this.#hasher.digest().sha256;
  }

  #flush(): void {
    this.#hasher.update(this.#piece.subarray(0, this.#length));
    this.#length = 0;
  }
}
