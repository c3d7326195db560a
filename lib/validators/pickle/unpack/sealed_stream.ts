import { OPCODES } from "../machine/opcodes.ts";

/** Ways of compressing that are recognised and not inspected. */
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
 * How a file is compressed that joblib, pandas or Python's `lzma` would open by its content; `undefined` where it is
 * not. Each is known by so many bytes that no other file begins so by chance.
 *
 * @param head its first bytes, or all when there are fewer than `wanted`
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
  // A block size, then a block or, when nothing is compressed, the end: pi and its square root.
  { method: "bz2", beginning: /^BZh[1-9](1AY&SY|.rE8P.)/s },
  { method: "xz", beginning: /^\xfd7zXZ\0/ },
  { method: "lzip", beginning: /^LZIP[^ -~]/ },
  // The length of the contents in 19 bytes, as Python's `int(length, 16)` reads it. Source: `read_zfile()` of joblib.
  { method: "joblib before 0.10", beginning: /^ZF(?=[^]{19})\s*[+-]?[\da-fx_]+L?\s*(?<=^[^]{21})/i },
  // Readers pass over such a frame, and are at the one behind it. As opcodes, its magic and its length begin a text that
  // may hold all the rest of the frame, and what follows is executed. pzstd writes one before each of its frames, with
  // the first of the 16 magics, at which Python stops. Sources: RFC 8878, section 3.1.2; pzstd.
  { method: "zstd behind a frame that it skips", beginning: /^[\x51-\x5f]\x2aM\cX/ },
  // A library that is built for it reads these too. Source: `zstd_legacy.h`.
  { method: "zstd before 0.8", beginning: /^[\x22-\x27]\xb5\x2f\xfd/ },
];

/**
 * Whether the header of an xz stream is one: two bytes of flags, and their checksum, which liblzma checks before it reads
 * on. Source: The .xz File Format, section 2.1.1.
 */
function isXzHeader(head: Uint8Array): boolean {
  const [reserved = 1, check = 0] = head.subarray(6);
  if (reserved !== 0 || check > 15 || head.length < 12) return false;
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  return view.getUint32(8, true) === crc32(head.subarray(6, 8));
}

/** Of a few bytes: node:zlib, which has one, takes 30 ms to load. */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc % 2 === 0 ? 0 : 0xedb88320);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

// The format of `.lzma`: properties, the dictionary's size, the contents' size, then the range coder. Source:
// `alone_decoder.c`, `lzma_decoder.c` and `range_decoder.h` of liblzma, which Python's `lzma`, joblib and pandas use.

const HEADER_BYTES = 13;

/** What the range coder begins with: a zero, and a number of four bytes. */
const CODER_BYTES = 5;

/** Names under which programs open any of it; joblib goes by the usual properties alone. */
const NAMED = /\.(xz|lzma|txz|tlz|tar)$/i;

const USUAL_PROPERTIES = 0x5d;

/**
 * Whether Python's `lzma` would find a pickle in a file by its beginning. It reads one stream after the other: of those
 * that hold nothing, any number may come first.
 *
 * @param head its first bytes, or all when there are fewer than `wanted`
 */
export function isLzmaAlone(head: Uint8Array, path: string, wanted: number): boolean {
  const isNamed = NAMED.test(path);
  if (head[0] !== USUAL_PROPERTIES && !isNamed) return false;
  for (let at = 0;; at += HEADER_BYTES + CODER_BYTES) {
    // Streams of nothing have no reason but to push what follows out of sight.
    if (head.length < at + HEADER_BYTES + CODER_BYTES + 1) return head.length >= wanted;
    if (at > 0 && isOtherStream(head.subarray(at))) return true;
    const stream = head.subarray(at);
    const view = new DataView(stream.buffer, stream.byteOffset, stream.length);
    if (!isHeader(view)) return false;
    // Numbers begin as a stream that holds something else than opcodes.
    if (view.getBigUint64(5, true) !== 0n) return isNamed || mayBeginPickle(view);
    if (view.getUint32(HEADER_BYTES + 1) !== 0) return false;
  }
}

/** liblzma takes no other headers where it recognises the format. */
function isHeader(view: DataView): boolean {
  const properties = view.getUint8(0);
  const literalBits = properties % 9 + Math.floor(properties / 9) % 5;
  const bytes = view.getBigUint64(5, true);
  return properties < 225 && literalBits <= 4 && isRound(view.getUint32(1, true)) &&
    (bytes === 0xffffffffffffffffn || bytes < 1n << 38n) && view.getUint8(HEADER_BYTES) === 0;
}

/** A power of two, or one and the next lower one; nothing, or as large as can be. */
function isRound(size: number): boolean {
  if (size === 0 || size === 0xffffffff) return true;
  const power = 2 ** Math.floor(Math.log2(size));
  return size === power || size === power + power / 2;
}

/** An xz stream, or one of lzip. */
function isOtherStream(head: Uint8Array): boolean {
  return [[0xfd, 0x37, 0x7a, 0x58, 0x5a], [0x4c, 0x5a, 0x49, 0x50]].some((magic) =>
    magic.every((byte, index) => head[index] === byte)
  );
}

const PROBABILITY_BITS = 11;
const RANGE_BITS_MIN = 24;

/** Whether the first byte of the contents is an opcode: nine bits that begin with even probabilities. */
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
    // Not a literal but the end of a stream of nothing, as nothing stands before it that a match could repeat.
    if (bit === 0 && isOne) return true;
    if (bit > 0) symbol = symbol * 2 + (isOne ? 1 : 0);
    code -= isOne ? bound : 0;
    range = isOne ? range - bound : bound;
  }
  return OPCODES[symbol % 256] !== undefined;
}
