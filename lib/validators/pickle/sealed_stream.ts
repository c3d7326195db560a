import { isLzmaAlone } from "./lzma_alone.ts";

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
