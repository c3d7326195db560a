/** Ways of compressing that are recognised and not inspected. */
export type SealedMethod = "bz2" | "xz" | "lzma" | "lzip" | "joblib before 0.10";

/**
 * How a file is compressed that joblib, pandas or Python's `lzma` would open by its content; `undefined` where it is
 * not. Each is known by so many bytes that no other file begins so by chance.
 *
 * @param head its first 64 bytes, or all when there are fewer
 */
export function findSealed(head: Uint8Array, path: string): SealedMethod | undefined {
  const latin1 = LATIN1.decode(head.subarray(0, 64));
  return SEALED.find(({ beginning }) => beginning.test(latin1))?.method ??
    (isLzma(head, path) ? "lzma" : undefined);
}

const LATIN1 = new TextDecoder("latin1");

const SEALED: readonly { readonly method: SealedMethod; readonly beginning: RegExp }[] = [
  // A block size, then a block or, when nothing is compressed, the end: pi and its square root.
  { method: "bz2", beginning: /^BZh[1-9](1AY&SY|.rE8P.)/s },
  { method: "xz", beginning: /^\xfd7zXZ\0/ },
  { method: "lzip", beginning: /^LZIP[^ -~]/ },
  // The length of the contents, written as a hexadecimal number and filled up with spaces; then zlib's header.
  { method: "joblib before 0.10", beginning: /^ZF[\s+]*(0x)?[\da-f_]+L?\s*x/i },
];

/**
 * The header of `.lzma`: properties, the dictionary's size, the contents' size, and the zero that the first byte of the
 * range coder is. Source: `alone_decoder.c` of liblzma, which takes no other sizes where it recognises the format.
 */
function isLzma(head: Uint8Array, path: string): boolean {
  if (head.length < 14) return false;
  // joblib goes by the usual properties alone; numbers in a table may begin as others do.
  if (head[0] !== 0x5d && !/\.(xz|lzma)$/i.test(path)) return false;
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  const dictionary = view.getUint32(1, true);
  const bytes = view.getBigUint64(5, true);
  return view.getUint8(0) < 225 && isRound(dictionary) && view.getUint8(13) === 0 &&
    (bytes === 0xffffffffffffffffn || (bytes > 0n && bytes < 1n << 38n));
}

/** A power of two, or one and the next lower one; or as large as can be. */
function isRound(size: number): boolean {
  if (size === 0xffffffff) return true;
  if (size < 256) return false;
  const power = 2 ** Math.floor(Math.log2(size));
  return size === power || size === power + power / 2;
}
