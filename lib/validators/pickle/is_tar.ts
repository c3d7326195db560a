import { TAR_BLOCK_BYTES } from "../../core/tar_header.ts";

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
  return written === unsigned || written === signed;
}

function readNumber(field: Uint8Array): number {
  const [first = 0, ...rest] = field;
  if (first === 0x80) return rest.reduce((value, byte) => value * 256 + byte, 0);
  const text = new TextDecoder("latin1").decode(field).replace(/\0.*$/s, "").trim();
  if (text === "") return 0;
  const digits = /^([-+]?)(?:0o)?([0-7_]+)$/i.exec(text);
  const value = parseInt(digits?.[2]?.replaceAll("_", "") ?? "", 8);
  return digits?.[1] === "-" ? -value : value;
}
