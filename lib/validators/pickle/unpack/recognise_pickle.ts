import { TAR_BLOCK_BYTES } from "../../../archive/tar_header.ts";
import { OPCODES, PROTO, PROTOCOL_MAX } from "../machine/opcodes.ts";
import { LZ4_MAGIC } from "./lz4_frame.ts";
import { findSealed, type SealedMethod } from "./sealed_stream.ts";
import { hasOddWindow } from "./zlib_head.ts";

/** What pickles are compressed with, as far as it can be inspected. */
export type Wrapper = "zlib" | "gzip" | "lz4" | "zstd";

/** What a file may be, by its first bytes and its name. */
export type PickleSuspicion =
  /** Opcodes. Without `isCertain`, something that may be another thing and begins as a pickle could. */
  | { readonly kind: "pickle"; readonly isCertain: boolean }
  | { readonly kind: "wrapped"; readonly wrapper: Wrapper }
  | { readonly kind: "zip" }
  | { readonly kind: "tar" }
  /** Compressed in a way that is not looked into. */
  | { readonly kind: "sealed"; readonly method: SealedMethod }
  /** A tar that begins as something compressed does, or as a ZIP. */
  | { readonly kind: "ambiguous" }
  /** Named as a pickle, and beginning as none. */
  | { readonly kind: "misnamed" };

/** As many first bytes as {@link recognisePickle} wants. */
export const HEAD_BYTES = TAR_BLOCK_BYTES;

/**
 * What of a pickle a file may be, by its first bytes; `undefined` when no program would take it for one. Its name
 * decides only where the bytes do not.
 *
 * @param head the first {@link HEAD_BYTES} bytes, or all when there are fewer
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *  * const bytes = (text: string) => new TextEncoder().encode(text);
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
  // The first bytes of a tar are a name of the attacker's choice: one reader goes by them, another by the checksum.
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

/** Whether a file's name promises a pickle, also a compressed one; in whatever case. */
export function isNamedPickle(path: string): boolean {
  return /\.(pkl|pickle|joblib)(\.(z|gz|gzip|zlib|lz4|zst|zstd|bz2|xz|lzma|zip|tar|tgz|tar\.(gz|bz2|xz|zst)))?$/i
    .test(path);
}

/** Whether a file's name promises something compressed, in whatever case. */
export function isNamedCompressed(path: string): boolean {
  return /\.(z|gz|gzip|zlib|lz4|zst|zstd|bz2|xz|lzma|tgz)$/i.test(path);
}

/** Source: RFC 8878, section 3.1.1. */
const ZSTD_MAGIC = [0x28, 0xb5, 0x2f, 0xfd] as const;

/** Of a frame that zstd's readers pass over, the one of the 16 magics with which compressors begin. */
const SKIPPED_MAGIC = [0x50, 0x2a, 0x4d, 0x18] as const;

/** Deflate, the usual window, and a checksum of the first two bytes. Source: RFC 1950, section 2.2. */
function isZlib([first = 0, second = 0]: Uint8Array): boolean {
  return first === 0x78 && (first * 256 + second) % 31 === 0;
}

function startsWith(head: Uint8Array, magic: readonly number[]): boolean {
  return magic.every((byte, index) => head[index] === byte);
}

/**
 * Whether the beginning of a file is text that people read: UTF-8 without control characters other than white space. A
 * character may be cut off at its end.
 */
export function isPlainText(head: Uint8Array): boolean {
  try {
    return !CONTROL.test(new TextDecoder("utf-8", { fatal: true }).decode(head, { stream: true }));
  } catch (error) {
    if (error instanceof TypeError) return false;
    throw error;
  }
}

const CONTROL = /[^\P{Cc}\t\n\v\f\r]/u;

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
