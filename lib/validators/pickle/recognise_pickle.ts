import { TAR_BLOCK_BYTES } from "../../core/tar_header.ts";
import { isTar } from "./is_tar.ts";
import { LZ4_MAGIC } from "./lz4_frame.ts";
import { findSealed, type SealedMethod } from "./sealed_stream.ts";
import { OPCODES, PROTO, PROTOCOL_MAX } from "./opcodes.ts";

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
  if (startsWith(head, [0x50, 0x4b, 3, 4])) return { kind: "zip" };
  if (startsWith(head, [0x1f, 0x8b])) return { kind: "wrapped", wrapper: "gzip" };
  if (startsWith(head, LZ4_MAGIC)) return { kind: "wrapped", wrapper: "lz4" };
  if (isZlib(head)) return { kind: "wrapped", wrapper: "zlib" };
  if (startsWith(head, ZSTD_MAGIC) || isSkippableFrame(head)) return { kind: "wrapped", wrapper: "zstd" };
  if (isTar(head)) return { kind: "tar" };
  const sealed = findSealed(head, path);
  if (sealed !== undefined) return { kind: "sealed", method: sealed };
  const isNamed = isNamedPickle(path);
  const [first, version = 0] = head;
  if (first !== undefined && OPCODES[first] !== undefined) {
    const isProto = first === PROTO && version <= PROTOCOL_MAX &&
      (head[2] === undefined || OPCODES[head[2]] !== undefined);
    return { kind: "pickle", isCertain: isNamed || isProto };
  }
  return isNamed ? { kind: "misnamed" } : undefined;
}

/** Whether a file's name promises a pickle, also a compressed one; in whatever case. */
export function isNamedPickle(path: string): boolean {
  return /\.(pkl|pickle|joblib)(\.(z|gz|gzip|zlib|lz4|zst|zstd|bz2|xz|lzma|zip|tar|tgz|tar\.(gz|bz2|xz|zst)))?$/i
    .test(path);
}

/** Source: RFC 8878, section 3.1.1. */
const ZSTD_MAGIC = [0x28, 0xb5, 0x2f, 0xfd] as const;

/** What zstd's readers pass over before the first frame. Source: RFC 8878, section 3.1.2. */
function isSkippableFrame([first = 0, ...rest]: Uint8Array): boolean {
  return first >= 0x50 && first <= 0x5f && rest[0] === 0x2a && rest[1] === 0x4d && rest[2] === 0x18;
}

/** Deflate, any window, and a checksum of the first two bytes. Source: RFC 1950, section 2.2. */
function isZlib([first = 0, second = 0]: Uint8Array): boolean {
  return first === 0x78 && (first * 256 + second) % 31 === 0;
}

function startsWith(head: Uint8Array, magic: readonly number[]): boolean {
  return magic.every((byte, index) => head[index] === byte);
}
