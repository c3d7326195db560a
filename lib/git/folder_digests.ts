import type { ReleaseFile } from "../release/manifest.ts";
import type { DigestColumns } from "./remembered_rows.ts";

const DIGEST_BYTES = 32;
const FILE_BYTES = Float64Array.BYTES_PER_ELEMENT + DIGEST_BYTES;

/** Encodes sizes and digests. Numbers have the machine's byte order: a store is not moved between machines. */
export async function encodeDigests(
  files: readonly Pick<ReleaseFile, "size" | "sha256">[],
): Promise<{ readonly bytes: Uint8Array; readonly checksum: string }> {
  const bytes = new Uint8Array(files.length * FILE_BYTES);
  new Float64Array(bytes.buffer, 0, files.length).set(files.map(({ size }) => size));
  bytes.subarray(files.length * Float64Array.BYTES_PER_ELEMENT)
    .setFromHex(files.map(({ sha256 }) => sha256).join(""));
  return { bytes, checksum: await checksumOf(bytes) };
}

/** Decodes the output of {@link encodeDigests}; `undefined` for anything else. */
export async function decodeDigests(
  bytes: Uint8Array<ArrayBuffer>,
  count: number,
  checksum: string,
): Promise<DigestColumns | undefined> {
  if (bytes.length !== count * FILE_BYTES || await checksumOf(bytes) !== checksum) return undefined;
  // A copy is aligned, which the array of numbers needs.
  const { buffer } = bytes.slice();
  const sizes = new Float64Array(buffer, 0, count);
  const digests = bytes.subarray(sizes.byteLength);
  return {
    sizes,
    sha256s: digests.toHex(),
    bytes: new DataView(digests.buffer, digests.byteOffset, digests.byteLength),
  };
}

async function checksumOf(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}
