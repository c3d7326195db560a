import { TAR_BLOCK_BYTES } from "../../../archive/tar_header.ts";
import { OPCODES, PROTO, PROTOCOL_MAX } from "../machine/opcodes.ts";
import { LZ4_MAGIC } from "./lz4_frame.ts";
import { findSealed, type SealedMethod } from "./sealed_stream.ts";
import { hasOddWindow } from "./zlib_head.ts";

/** The compression formats that are decompressed. */
export type Wrapper = "zlib" | "gzip" | "lz4" | "zstd";

/** The possible content of a file, by its first bytes and its name. */
export type PickleSuspicion =
  /** Opcodes. Without `isCertain`, the file may also be something else. */
  | { readonly kind: "pickle"; readonly isCertain: boolean }
  | { readonly kind: "wrapped"; readonly wrapper: Wrapper }
  | { readonly kind: "zip" }
  | { readonly kind: "tar" }
  /** Compressed in a format that is not decompressed. */
  | { readonly kind: "sealed"; readonly method: SealedMethod }
  /** A tar that also begins like a compressed file or a ZIP. */
  | { readonly kind: "ambiguous" }
  /** Named like a pickle, without the beginning of one. */
  | { readonly kind: "misnamed" };

/** The number of first bytes that {@link recognisePickle} needs. */
export const HEAD_BYTES = TAR_BLOCK_BYTES;

/**
 * Returns how a file may be or contain a pickle, by its first bytes; `undefined` if no program would read it as one. The
 * name decides only if the bytes do not.
 *
 * @param head the first {@link HEAD_BYTES} bytes, or all of a shorter file
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { recognisePickle } from "./recognise_pickle.ts";
 * const bytes = (text: string) => new TextEncoder().encode(text);
 * assert.deepEqual(recognisePickle(new Uint8Array([0x80, 4, 0x4e, 0x2e]), "model.onnx"), {
 *   kind: "pickle",
 *   isCertain: true,
 * });
 * assert.equal(recognisePickle(bytes('{"a": 1}'), "metadata.json"), undefined);
 * assert.deepEqual(recognisePickle(bytes('{"a": 1}'), "MODEL.PKL"), { kind: "misnamed" });
 * ```
 */
export function recognisePickle(head: Uint8Array, path: string): PickleSuspicion | undefined {
  const packed = recognisePacked(head, path);
  // A tar begins with a name that the attacker chooses. Some readers go by these bytes, others by the checksum of the tar.
  if (isTar(head)) return { kind: packed === undefined ? "tar" : "ambiguous" };
  if (packed !== undefined) return packed;
  const isNamed = isNamedPickle(path);
  const [first, version = 0] = head;
  if (first !== undefined && OPCODES[first] !== undefined) {
    const isProto = first === PROTO && version <= PROTOCOL_MAX &&
      (head[2] === undefined || OPCODES[head[2]] !== undefined);
    return { kind: "pickle", isCertain: isNamed || isProto };
  }
  if (isNamed) return { kind: "misnamed" };
  return hasOddWindow(head) ? { kind: "pickle", isCertain: false } : undefined;
}

function recognisePacked(head: Uint8Array, path: string): PickleSuspicion | undefined {
  if (startsWith(head, [0x50, 0x4b, 3, 4])) return { kind: "zip" };
  if (startsWith(head, [0x1f, 0x8b])) return { kind: "wrapped", wrapper: "gzip" };
  if (startsWith(head, LZ4_MAGIC)) return { kind: "wrapped", wrapper: "lz4" };
  if (isZlib(head)) return { kind: "wrapped", wrapper: "zlib" };
  if (startsWith(head, ZSTD_MAGIC) || startsWith(head, SKIPPED_MAGIC)) {
    return { kind: "wrapped", wrapper: "zstd" };
  }
  const sealed = findSealed(head, path, HEAD_BYTES);
  return sealed === undefined ? undefined : { kind: "sealed", method: sealed };
}

/** Whether a file is named like a pickle, possibly compressed; ignores case. */
export function isNamedPickle(path: string): boolean {
  return /\.(pkl|pickle|joblib)(\.(z|gz|gzip|zlib|lz4|zst|zstd|bz2|xz|lzma|zip|tar|tgz|tar\.(gz|bz2|xz|zst)))?$/i
    .test(path);
}

/** Whether a file is named like a compressed file; ignores case. */
export function isNamedCompressed(path: string): boolean {
  return /\.(z|gz|gzip|zlib|lz4|zst|zstd|bz2|xz|lzma|tgz)$/i.test(path);
}

/** Source: RFC 8878, section 3.1.1. */
const ZSTD_MAGIC = [0x28, 0xb5, 0x2f, 0xfd] as const;

/** The magic of a skippable frame that compressors write; there are 16. */
const SKIPPED_MAGIC = [0x50, 0x2a, 0x4d, 0x18] as const;

/** Checks for deflate, the usual window, and the checksum of the first two bytes. Source: RFC 1950, section 2.2. */
function isZlib([first = 0, second = 0]: Uint8Array): boolean {
  return first === 0x78 && (first * 256 + second) % 31 === 0;
}

function startsWith(head: Uint8Array, magic: readonly number[]): boolean {
  return magic.every((byte, index) => head[index] === byte);
}

/**
 * Whether the beginning of a file is plain text: UTF-8 without control characters other than white space. The last character
 * may be cut off.
 */
export function isPlainText(head: Uint8Array): boolean {
  // Most binary files contain a control character. Searching for one takes less time than an error of the decoder.
  if (head.some(isControl)) return false;
  try {
    return !CONTROL.test(new TextDecoder("utf-8", { fatal: true }).decode(head, { stream: true }));
  } catch (error) {
    if (error instanceof TypeError) return false;
    throw error;
  }
}

const CONTROL = /[^\P{Cc}\t\n\v\f\r]/u;

/** Whether a byte is an ASCII control character other than white space. */
function isControl(byte: number): boolean {
  return byte < 0x09 || (byte > 0x0d && byte < 0x20) || byte === 0x7f;
}

const CHECKSUM = { from: 148, to: 156 };

/**
 * Whether Python's `tarfile` takes a file for a tar, which it decides by the checksum of the first block. It accepts more
 * notations of numbers than POSIX: with a sign, a prefix or underscores, or in binary. It also accepts checksums of signed
 * bytes. Source: `nti()` and `calc_chksums()` in Python's `tarfile.py`.
 */
export function isTar(head: Uint8Array): boolean {
  if (head.length < TAR_BLOCK_BYTES) return false;
  let unsigned = 0;
  let signed = 0;
  for (let at = 0; at < TAR_BLOCK_BYTES; at++) {
    const byte = head[at] ?? 0;
    // The checksum field counts as spaces.
    const counted = at >= CHECKSUM.from && at < CHECKSUM.to ? 0x20 : byte;
    unsigned += counted;
    signed += counted > 127 ? counted - 256 : counted;
  }
  const written = readNumber(head.subarray(CHECKSUM.from, CHECKSUM.to));
  return (written === unsigned || written === signed) &&
    NUMBERS.every(([from, to]) => !Number.isNaN(readNumber(head.subarray(from, to))));
}

/** The other numbers in a header, all of which `tarfile` has to read: mode, owners, size, time, device. */
const NUMBERS = [[100, 108], [108, 116], [116, 124], [124, 136], [136, 148], [329, 337], [337, 345]] as const;

/** Matches what Python's `strip()` removes, and more. */
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
