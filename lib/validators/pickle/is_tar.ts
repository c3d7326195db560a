import { TAR_BLOCK_BYTES } from "../../archive/tar_header.ts";

const CHECKSUM = { from: 148, to: 156 };

/**
 * Whether Python's `tarfile` takes a file for a tar by its first block, which it does by the checksum alone. It reads
 * numbers in more ways than POSIX writes them: with a sign, a prefix or underlines, or in binary; and some tars add up
 * signed bytes. Source: `nti()` and `calc_chksums()` in Python's `tarfile.py`.
 */
export function isTar(head: Uint8Array): boolean {
  if (head.length < TAR_BLOCK_BYTES) return false;
  let unsigned = 0;
  let signed = 0;
  for (const [at, byte] of head.subarray(0, TAR_BLOCK_BYTES).entries()) {
    // The checksum counts itself as spaces.
    const counted = at >= CHECKSUM.from && at < CHECKSUM.to ? 0x20 : byte;
    unsigned += counted;
    signed += counted > 127 ? counted - 256 : counted;
  }
  const written = readNumber(head.subarray(CHECKSUM.from, CHECKSUM.to));
  return (written === unsigned || written === signed) &&
    NUMBERS.every(([from, to]) => !Number.isNaN(readNumber(head.subarray(from, to))));
}

/** The other numbers of a header, each of which `tarfile` has to be able to read: mode, owners, size, time, device. */
const NUMBERS = [[100, 108], [108, 116], [116, 124], [124, 136], [136, 148], [329, 337], [337, 345]] as const;

/** What Python's `strip()` takes off, and more. */
const AROUND = /^[\s\p{Cc}]+|[\s\p{Cc}]+$/gu;

function readNumber(field: Uint8Array): number {
  const [first = 0, ...rest] = field;
  if (first === 0x80 || first === 0xff) {
    const value = rest.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
    return Number(first === 0xff ? value - 256n ** BigInt(rest.length) : value);
  }
  const text = new TextDecoder("latin1").decode(field).replace(/\0.*$/s, "").replace(AROUND, "");
  if (text === "") return 0;
  const digits = /^([-+]?)(?:0o)?([0-7_]+)$/i.exec(text);
  const value = parseInt(digits?.[2]?.replaceAll("_", "") ?? "", 8);
  return digits?.[1] === "-" ? -value : value;
}
