const MODULUS = 65_521;

/** So many sums of bytes stay exact integers before they are reduced: 5552 in zlib, rounded down to whole steps of 8. */
const REDUCE_AFTER = 5_544;

/**
 * Returns the Adler-32 checksum of RFC 1950, which node:zlib computes only for streams that it compresses itself.
 *
 * @param value the checksum of the bytes before; 1 at the start
 */
export function adler32(bytes: Uint8Array, value = 1): number {
  let a = value & 0xffff;
  let b = value >>> 16;
  for (let start = 0; start < bytes.length; start += REDUCE_AFTER) {
    const end = Math.min(start + REDUCE_AFTER, bytes.length);
    for (let index = start; index < end; index++) {
      a += bytes[index] ?? 0;
      b += a;
    }
    a %= MODULUS;
    b %= MODULUS;
  }
  return ((b << 16) | a) >>> 0;
}
