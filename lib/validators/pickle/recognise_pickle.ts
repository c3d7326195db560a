import { TAR_BLOCK_BYTES } from "../../core/tar_header.ts";
import { isTar } from "./is_tar.ts";
import { LZ4_MAGIC } from "./lz4_frame.ts";
import { findSealed, type SealedMethod } from "./sealed_stream.ts";
import { OPCODES, PROTO, PROTOCOL_MAX } from "./opcodes.ts";
import { hasOddWindow } from "./zlib_window.ts";

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
