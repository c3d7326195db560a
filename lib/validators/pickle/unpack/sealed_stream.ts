import { OPCODES } from "../machine/opcodes.ts";

/** Compression formats that are recognised, but not decompressed. */
export type SealedMethod =
  | "bz2"
  | "xz"
  | "lzma"
  | "lzip"
  | "joblib before 0.10"
  | "zstd behind a frame that it skips"
  | "zstd before 0.8"
  | "zlib with an unusual window";

/**
 * Returns the compression format that joblib, pandas or Python's `lzma` would recognise by the contents; `undefined` if
 * there is none. The compared beginnings are so long that other files do not have them by chance.
 *
 * @param head the first `wanted` bytes, or all of a shorter file
 */
export function findSealed(head: Uint8Array, path: string, wanted: number): SealedMethod | undefined {
  const latin1 = LATIN1.decode(head.subarray(0, 64));
  const method = SEALED.find(({ beginning }) => beginning.test(latin1))?.method;
  if (method === "xz" && !isXzHeader(head)) return undefined;
  return method ??
    (isLzmaAlone(head, path, wanted) ? "lzma" : undefined);
}

const LATIN1 = new TextDecoder("latin1");

const SEALED: readonly { readonly method: SealedMethod; readonly beginning: RegExp }[] = [
  // A block size, then the magic of a block (pi) or, without contents, of the end (its square root).
  { method: "bz2", beginning: /^BZh[1-9](1AY&SY|.rE8P.)/s },
  { method: "xz", beginning: /^\xfd7zXZ\0/ },
  { method: "lzip", beginning: /^LZIP[^ -~]/ },
  // 19 bytes with the length of the contents, in any notation of Python's `int(length, 16)`. Source: `read_zfile()` in joblib.
  { method: "joblib before 0.10", beginning: /^ZF(?=[^]{19})\s*[+-]?[\da-fx_]+L?\s*(?<=^[^]{21})/i },
  // zstd readers skip such a frame and read the next. Pickle readers take its magic and length for a text that may hold the
  // rest of the frame, and execute what follows. pzstd writes such a frame before each of its own, with the first of the 16
  // magics, which is not an opcode. Sources: RFC 8878, section 3.1.2; pzstd.
  { method: "zstd behind a frame that it skips", beginning: /^[\x51-\x5f]\x2aM\cX/ },
  // zstd libraries that are built with legacy support read these, too. Source: `zstd_legacy.h`.
  { method: "zstd before 0.8", beginning: /^[\x22-\x27]\xb5\x2f\xfd/ },
];

/**
 * Whether the header of an xz stream is valid: two bytes of flags, and their checksum, which liblzma checks first. Source:
 * The .xz File Format, section 2.1.1.
 */
function isXzHeader(head: Uint8Array): boolean {
  const [reserved = 1, check = 0] = head.subarray(6);
  if (reserved !== 0 || check > 15 || head.length < 12) return false;
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  return view.getUint32(8, true) === crc32(head.subarray(6, 8));
}

/** Computes the checksum of a few bytes. The one in node:zlib would take 30 ms to load. */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc % 2 === 0 ? 0 : 0xedb88320);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

// The format `.lzma` consists of properties, the sizes of the dictionary and the contents, and the range coder. Source:
// `alone_decoder.c`, `lzma_decoder.c` and `range_decoder.h` in liblzma, which Python's `lzma`, joblib and pandas use.

const HEADER_BYTES = 13;

/** The beginning of the range coder: a zero, and a number of four bytes. */
const CODER_BYTES = 5;

/** Names by which programs open any `.lzma` stream; joblib recognises only the usual properties. */
const NAMED = /\.(xz|lzma|txz|tlz|tar)$/i;

const USUAL_PROPERTIES = 0x5d;

/**
 * Whether Python's `lzma` may find a pickle in a file, by its beginning. It reads one stream after the other, so any number
 * of empty streams may come first.
 *
 * @param head the first `wanted` bytes, or all of a shorter file
 */
function isLzmaAlone(head: Uint8Array, path: string, wanted: number): boolean {
  const isNamed = NAMED.test(path);
  if (head[0] !== USUAL_PROPERTIES && !isNamed) return false;
  for (let at = 0;; at += HEADER_BYTES + CODER_BYTES) {
    // The only use of so many empty streams is to hide what follows.
    if (head.length < at + HEADER_BYTES + CODER_BYTES + 1) return head.length >= wanted;
    if (at > 0 && isOtherStream(head.subarray(at))) return true;
    const stream = head.subarray(at);
    const view = new DataView(stream.buffer, stream.byteOffset, stream.length);
    if (!isHeader(view)) return false;
    // Raw numbers may begin like a stream, but then its contents do not begin with an opcode.
    if (view.getBigUint64(5, true) !== 0n) return isNamed || mayBeginPickle(view);
    if (view.getUint32(HEADER_BYTES + 1) !== 0) return false;
  }
}

/** Whether liblzma accepts the header when it recognises the format. */
function isHeader(view: DataView): boolean {
  const properties = view.getUint8(0);
  const literalBits = properties % 9 + Math.floor(properties / 9) % 5;
  const bytes = view.getBigUint64(5, true);
  return properties < 225 && literalBits <= 4 && isRound(view.getUint32(1, true)) &&
    (bytes === 0xffffffffffffffffn || bytes < 1n << 38n) && view.getUint8(HEADER_BYTES) === 0;
}

/** Whether a size is a power of two, or the sum of two successive ones, or zero, or the largest number. */
function isRound(size: number): boolean {
  if (size === 0 || size === 0xffffffff) return true;
  const power = 2 ** Math.floor(Math.log2(size));
  return size === power || size === power + power / 2;
}

/** Whether bytes begin an xz or lzip stream. */
function isOtherStream(head: Uint8Array): boolean {
  return [[0xfd, 0x37, 0x7a, 0x58, 0x5a], [0x4c, 0x5a, 0x49, 0x50]].some((magic) =>
    magic.every((byte, index) => head[index] === byte)
  );
}

const PROBABILITY_BITS = 11;
const RANGE_BITS_MIN = 24;

/** Whether the first byte of the contents is an opcode. It takes nine bits, with even probabilities at first. */
function mayBeginPickle(view: DataView): boolean {
  let range = 0xffffffff;
  let code = view.getUint32(HEADER_BYTES + 1);
  let symbol = 1;
  for (let bit = 0; bit < 9; bit++) {
    if (range < 2 ** RANGE_BITS_MIN) {
      range *= 256;
      code = code * 256 + view.getUint8(HEADER_BYTES + CODER_BYTES);
    }
    const bound = Math.floor(range / 2 ** PROBABILITY_BITS) * 2 ** (PROBABILITY_BITS - 1);
    const isOne = code >= bound;
    // The end of an empty stream: a match is not possible without bytes before it.
    if (bit === 0 && isOne) return true;
    if (bit > 0) symbol = symbol * 2 + (isOne ? 1 : 0);
    code -= isOne ? bound : 0;
    range = isOne ? range - bound : bound;
  }
  return OPCODES[symbol % 256] !== undefined;
}
