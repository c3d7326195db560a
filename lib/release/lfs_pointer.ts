import type { Sha256 } from "../core/hash.ts";

/** The specification allows pointers of less than 1024 bytes. */
export const POINTER_BYTES_MAX = 1024;

/** The content of a Git LFS pointer, which replaces the file in the repository. */
export interface LfsPointer {
  readonly sha256: Sha256;
  readonly bytes: number;
}

/**
 * Parses a Git LFS pointer (git-lfs `docs/spec.md`, version 1); `undefined` if the bytes are not a pointer.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { formatPointer, parsePointer } from "./lfs_pointer.ts";
 * const pointer = { sha256: "a".repeat(64), bytes: 12 };
 * assert.deepEqual(parsePointer(new TextEncoder().encode(formatPointer(pointer))), pointer);
 * ```
 */
export function parsePointer(content: Uint8Array): LfsPointer | undefined {
  if (content.length >= POINTER_BYTES_MAX) return undefined;
  const text = new TextDecoder().decode(content);
  if (!/^version https:\/\/(git-lfs\.github\.com|hawser\.github\.com)\/spec\/v1\r?\n/.test(text)) {
    return undefined;
  }
  const sha256 = /^oid sha256:([0-9a-f]{64})\r?$/m.exec(text)?.[1];
  const bytes = /^size (\d{1,16})\r?$/m.exec(text)?.[1];
  return sha256 === undefined || bytes === undefined ? undefined : { sha256, bytes: Number(bytes) };
}

/** Returns the text of a pointer, as git-lfs writes it. */
export function formatPointer(pointer: LfsPointer): string {
  return `version https://git-lfs.github.com/spec/v1\noid sha256:${pointer.sha256}\nsize ${pointer.bytes}\n`;
}
