import { compareBytes } from "../core/compare_bytes.ts";
import { FileHasher, type Sha256, sha256OfBytes } from "../core/hash.ts";
import { SHA256_DIGITS } from "../core/sha256_column.ts";
import { type DigestedFile, lineOf } from "./digest_lines.ts";
import type { Digest } from "./manifest.ts";

const NEWLINE = 10;

/** Where a line is in a text of lines. */
interface Place {
  readonly start: number;
  readonly end: number;
}

/**
 * The sorted lines whose SHA-256 is the digest of a release. Of many files, few change: their lines are replaced, and the
 * others are neither sorted nor written again.
 */
export class SortedLines {
  readonly #bytes: Uint8Array<ArrayBuffer>;

  private constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.#bytes = bytes;
  }

  /** @returns `undefined` if the bytes are not the lines of this release */
  static async read(bytes: Uint8Array<ArrayBuffer>, digest: Digest): Promise<SortedLines | undefined> {
    return `sha256:${await sha256OfBytes(bytes)}` === digest ? new SortedLines(bytes) : undefined;
  }

  /**
   * Returns the file at a path; `undefined` if the release does not have it. Files with the same digest have the same size, so
   * their lines have the order of their paths.
   *
   * @param start the first digits of its digest, which no other digest has
   */
  find(path: string, start: string): DigestedFile | undefined {
    const encoder = new TextEncoder();
    const first = this.#lineAt(this.#startOf(encoder.encode(start), 0));
    if (first === undefined) return undefined;
    const file = { ...this.#parse(first), path };
    const line = encoder.encode(lineOf(file));
    const found = compareAt(this.#bytes, this.#startOf(line, first.start), line) === 0;
    return found && file.sha256.startsWith(start) ? file : undefined;
  }

  /** Returns all files, in the order of their lines. */
  files(): DigestedFile[] {
    const files: DigestedFile[] = [];
    for (let place = this.#lineAt(0); place !== undefined; place = this.#lineAt(place.end)) {
      files.push(this.#parse(place));
    }
    return files;
  }

  /** Returns the lines after a change of some files, in parts: each is the lines of others, or of one file. */
  change(removed: readonly DigestedFile[], added: readonly DigestedFile[]): Uint8Array<ArrayBuffer>[] {
    const encoder = new TextEncoder();
    const changes = [
      ...removed.map((file) => ({ line: encoder.encode(lineOf(file)), isAdded: false })),
      ...added.map((file) => ({ line: encoder.encode(lineOf(file)), isAdded: true })),
    ].sort((a, b) => compareBytes(a.line, b.line));
    const parts: Uint8Array<ArrayBuffer>[] = [];
    let done = 0;
    for (const { line, isAdded } of changes) {
      const at = this.#startOf(line, done);
      parts.push(this.#bytes.subarray(done, at));
      if (isAdded) parts.push(line);
      done = isAdded ? at : at + line.length;
    }
    parts.push(this.#bytes.subarray(done));
    return parts;
  }

  /** Returns where the first line begins that is not before these bytes. */
  #startOf(bytes: Uint8Array, from: number): number {
    let low = from;
    let high = this.#bytes.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      let start = middle;
      while (start > low && this.#bytes[start - 1] !== NEWLINE) start--;
      if (compareAt(this.#bytes, start, bytes) >= 0) high = start;
      else low = this.#bytes.indexOf(NEWLINE, middle) + 1;
    }
    return low;
  }

  #lineAt(start: number): Place | undefined {
    return start < this.#bytes.length ? { start, end: this.#bytes.indexOf(NEWLINE, start) + 1 } : undefined;
  }

  #parse({ start, end }: Place): DigestedFile {
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    const line = decoder.decode(this.#bytes.subarray(start, end - 1));
    const sizeEnd = line.indexOf(" ", SHA256_DIGITS + 2);
    return {
      path: line.slice(sizeEnd + 2),
      size: Number(line.slice(SHA256_DIGITS + 2, sizeEnd)),
      sha256: line.slice(0, SHA256_DIGITS),
    };
  }
}

/** Compares bytes at a place of a text with others: as many as there are of the latter. */
function compareAt(text: Uint8Array, start: number, bytes: Uint8Array): number {
  for (let index = 0; index < bytes.length; index++) {
    const difference = (text[start + index] ?? -1) - (bytes[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Returns the SHA-256 of parts of a text, one after the other. */
export async function hashParts(parts: Iterable<Uint8Array>): Promise<Sha256> {
  const hasher = await FileHasher.create();
  for (const part of parts) hasher.update(part);
  return hasher.digest().sha256;
}
