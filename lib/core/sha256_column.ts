import type { Sha256 } from "./hash.ts";

/** The length of a digest in a column: a text of digests in hexadecimal, one after the other. */
export const SHA256_DIGITS = 64;

/** Returns the digest in a row of a column. */
export function sha256At(column: string, row: number): Sha256 {
  return column.slice(row * SHA256_DIGITS, (row + 1) * SHA256_DIGITS);
}

/** Returns the row of a digest in a column; `undefined` if it has none. */
export function findSha256(column: string, sha256: Sha256): number | undefined {
  let start = column.indexOf(sha256);
  while (start % SHA256_DIGITS > 0) start = column.indexOf(sha256, start + 1);
  return start === -1 ? undefined : start / SHA256_DIGITS;
}
