import { join, posix } from "node:path";
import { z } from "zod";
import { RefusedError } from "../core/errors.ts";
import { type FileSystem, findText } from "../core/files.ts";
import { oneLine } from "../core/quote.ts";
import type { Sha256 } from "../core/hash.ts";

/** The file beside a model that describes it. */
const METADATA_NAME = "metadata.json";

/** Descriptions have some kilobytes; what is larger is data of another kind. */
const METADATA_BYTES_MAX = 4 * 1024 * 1024;

/** Of everybody's metadata we know this one field: the SHA-256 of the model beside it, without the model's name. */
const Metadata = z.object({ sha256_checksum: z.string() });

/** A file of a release that was measured. */
export interface MeasuredFile {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: Sha256;
}

/**
 * Holds each `metadata.json` with a `sha256_checksum` against the files beside it: one of them has to be the model that
 * was described. Metadata without such a field, or alone in its folder, says nothing. Needs read permission.
 *
 * @param dir where the files are
 * @throws {RefusedError} code `CHECKSUM_MISMATCH`, naming the metadata and the files beside it
 */
export function refuseWrongChecksums(fs: FileSystem, dir: string, files: readonly MeasuredFile[]): void {
  for (const metadata of files) {
    if (posix.basename(metadata.path) !== METADATA_NAME || metadata.bytes > METADATA_BYTES_MAX) continue;
    const checksum = readChecksum(findText(fs, join(dir, metadata.path)) ?? "");
    if (checksum === undefined) continue;
    const folder = posix.dirname(metadata.path);
    const beside = files.filter((file) => file !== metadata && posix.dirname(file.path) === folder);
    if (beside.length === 0 || beside.some(({ sha256 }) => sha256 === checksum)) continue;
    throw new RefusedError(
      `Cannot accept ${metadata.path}: its sha256_checksum is ${oneLine(checksum)}, but ${
        beside.slice(0, NAMED_MAX).map(({ path, sha256 }) => `${path} has SHA-256 ${sha256}`).join(" and ")
      }`,
      {
        code: "CHECKSUM_MISMATCH",
        hint:
          "the model is not the one that was described: train and upload both again; the active release is untouched",
      },
    );
  }
}

/** A message that names more files is read by nobody. */
const NAMED_MAX = 3;

function readChecksum(text: string): string | undefined {
  try {
    const { sha256_checksum } = Metadata.parse(JSON.parse(text));
    const checksum = sha256_checksum.trim().toLowerCase().replace(/^sha256:/, "");
    return checksum === "" ? undefined : checksum;
  } catch {
    // Not JSON, or metadata of another kind: nothing is claimed.
    return undefined;
  }
}
