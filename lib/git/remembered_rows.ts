import { compareBytes } from "../core/compare_bytes.ts";
import type { DigestedFile } from "../release/digest_lines.ts";
import type { Digest } from "../release/manifest.ts";
import type { RememberedFiles, RowPlace } from "../release/rescan_folder.ts";
import { hashParts, type SortedLines } from "../release/sorted_lines.ts";
import type { IndexRows } from "./index_file.ts";

const EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/**
 * The remembered files of a folder: an index with their paths, and the lines with their digests. An object for each of many
 * files would cost more than the files that changed.
 */
export class RememberedRows implements RememberedFiles {
  readonly index: IndexRows;
  readonly #lines: SortedLines;

  /** @param index its objects have names that begin as the digests of the files */
  constructor(index: IndexRows, lines: SortedLines) {
    this.index = index;
    this.#lines = lines;
  }

  get count(): number {
    return this.index.count;
  }

  pathAt(row: number): string {
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(this.index.pathBytes(row));
  }

  fileAt(row: number): DigestedFile {
    const path = this.pathAt(row);
    return required(this.#lines.find(path, this.index.objectAt(row) ?? EMPTY_SHA256), path);
  }

  paths(): readonly string[] {
    return this.index.paths();
  }

  files(): readonly DigestedFile[] {
    const byPath = new Map(this.#lines.files().map((file) => [file.path, file]));
    return this.paths().map((path) => required(byPath.get(path), path));
  }

  rowsEnding(ends: readonly string[]): readonly number[] {
    return this.index.rowsEnding(ends);
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

  async digestWith(dropped: Iterable<number>, others: readonly DigestedFile[]): Promise<Digest> {
    return `sha256:${await hashParts(this.linesWith(dropped, others))}`;
  }

  /** Returns the lines of {@link digestWith}, in parts. */
  linesWith(dropped: Iterable<number>, others: readonly DigestedFile[]): Uint8Array[] {
    return this.#lines.change(Array.from(dropped, (row) => this.fileAt(row)), others);
  }
}

/** The checksum of the index and the digest of the lines were written together. */
function required(file: DigestedFile | undefined, path: string): DigestedFile {
  if (file === undefined) throw new TypeError(`the index lists ${path}, which has no digest`);
  return file;
}
