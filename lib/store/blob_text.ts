import { joinPieces } from "../core/encode_pieces.ts";
import type { Sha256 } from "../core/hash.ts";

const HEAD = '{"schema":1,"blobs":["';
const BETWEEN = '"],"sha256s":["';
const END = '"]}\n';
const COMMA = '","';
const SHA256_CHARS = 64;
const SHA256 = /^[0-9a-f]{64}$/;
const PLAIN = /^[^"\\\p{Cc}]+$/u;

/** Whether an entry is the same in JSON, as every name is. A damaged file may hold others. */
export function isPlainEntry(blob: string, sha256: Sha256): boolean {
  return PLAIN.test(blob) && PLAIN.test(sha256);
}

/**
 * The text of a memory of git objects, in which a few entries are found and to which a few are added without parsing it:
 * one of 50,000 objects has 5 MB.
 */
export class BlobText {
  readonly #text: string;
  /** The length of an object's name. */
  readonly #width: number;
  /** The number of entries. */
  readonly count: number;

  private constructor(text: string, width: number, count: number) {
    this.#text = text;
    this.#width = width;
    this.count = count;
  }

  /** @returns `undefined` if it is not a text of names of one length, as `JSON.stringify` writes it */
  static of(text: string): BlobText | undefined {
    const width = text.indexOf('"', HEAD.length) - HEAD.length;
    const middle = text.indexOf(BETWEEN);
    const count = (middle - HEAD.length + COMMA.length) / (width + COMMA.length);
    const length = middle + BETWEEN.length + count * (SHA256_CHARS + COMMA.length) - COMMA.length +
      END.length;
    const isSound = text.startsWith(HEAD) && text.endsWith(END) && width > 0 && Number.isSafeInteger(count) &&
      length === text.length;
    return isSound ? new BlobText(text, width, count) : undefined;
  }

  /** Yields the text of plain entries, in pieces. `JSON.stringify` would need three times the memory of the whole text. */
  static *format(blobs: readonly string[], sha256s: readonly Sha256[]): Generator<string> {
    yield HEAD;
    yield* joinPieces(blobs, COMMA);
    yield BETWEEN;
    yield* joinPieces(sha256s, COMMA);
    yield END;
  }

  find(blob: string): Sha256 | undefined {
    const at = blob.length === this.#width ? this.#text.indexOf(blob) - HEAD.length : -1;
    const row = at / (this.#width + COMMA.length);
    if (at < 0 || row >= this.count || !Number.isSafeInteger(row)) return undefined;
    const start = this.#middle + BETWEEN.length + row * (SHA256_CHARS + COMMA.length);
    const sha256 = this.#text.slice(start, start + SHA256_CHARS);
    return SHA256.test(sha256) ? sha256 : undefined;
  }

  /** Returns the text with more entries; `undefined` if it has one of these objects, or cannot have it. */
  with(entries: ReadonlyMap<string, Sha256>): string | undefined {
    const isFit = ([blob, sha256]: readonly [string, Sha256]) =>
      blob.length === this.#width && SHA256.test(sha256) && !this.#text.includes(blob);
    if (![...entries].every(isFit)) return undefined;
    return [
      this.#text.slice(0, this.#middle),
      ...Array.from(entries.keys(), (blob) => COMMA + blob),
      this.#text.slice(this.#middle, -END.length),
      ...Array.from(entries.values(), (sha256) => COMMA + sha256),
      END,
    ].join("");
  }

  get #middle(): number {
    return HEAD.length + this.count * (this.#width + COMMA.length) - COMMA.length;
  }
}
