import { TAR_BLOCK_BYTES, TAR_CHECKSUM } from "./tar_header.ts";

// Layout: POSIX.1-2017, pax, "ustar Interchange Format".

/** The field of the name. Longer names need a prefix or a header of their own. */
const NAME_BYTES_MAX = 100;
const SIZE = { at: 124, digits: 11 };

const encoder = new TextEncoder();

/** Creates the headers of plain files with the same mode, of user and group 0. */
export class TarHeaderWriter {
  /** Everything but the name, the size and the checksum, for which it has spaces. */
  readonly #common: Uint8Array;
  readonly #block = new Uint8Array(TAR_BLOCK_BYTES);

  constructor(mode: number) {
    const block = new Uint8Array(TAR_BLOCK_BYTES);
    encoder.encodeInto(octal(mode, 7), block.subarray(100));
    for (const [at, digits] of [[108, 7], [116, 7], [136, 11]] as const) {
      encoder.encodeInto(octal(0, digits), block.subarray(at));
    }
    block.fill(0x20, TAR_CHECKSUM.from, TAR_CHECKSUM.to);
    encoder.encodeInto("0", block.subarray(156));
    encoder.encodeInto("ustar\x0000", block.subarray(257));
    this.#common = block;
  }

  /**
   * Returns the header of a file, valid until the next call; `undefined` for a path of more than 100 bytes.
   *
   * @param bytes its size, below 8 GiB
   */
  header(path: string, bytes: number): Uint8Array | undefined {
    const block = this.#block;
    block.set(this.#common);
    const { read } = encoder.encodeInto(path, block.subarray(0, NAME_BYTES_MAX));
    if (read < path.length) return undefined;
    encoder.encodeInto(octal(bytes, SIZE.digits), block.subarray(SIZE.at));
    encoder.encodeInto(`${octal(sumOf(block), 6)}\0`, block.subarray(TAR_CHECKSUM.from));
    return block;
  }
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, "0");
}

function sumOf(block: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < block.length; at++) sum += block[at] ?? 0;
  return sum;
}
