import { join, posix } from "node:path";
import * as z from "zod";
import { RefusedError } from "../core/errors.ts";
import { type FileSystem, findText } from "../core/files.ts";
import { parseJson } from "../core/json.ts";
import { oneLine } from "../core/quote.ts";
import type { Sha256 } from "../core/hash.ts";

/** The file that describes the model beside it. */
export const METADATA_NAME = "metadata.json";

/** Descriptions have some kilobytes. A larger file is data of another kind. */
const METADATA_BYTES_MAX = 4 * 1024 * 1024;

/** The most characters of a checksum that a message shows. A correct one has 64. */
const CHECKSUM_CHARS_MAX = 80;

/** The only common field of metadata files: the SHA-256 of the model beside it, without the model's name. */
const Metadata = z.object({ sha256_checksum: z.string() });

/** A hashed file of a release. */
export interface MeasuredFile {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: Sha256;
}

/** A `metadata.json` whose checksum matches no file beside it. */
export interface WrongChecksum {
  /** The path of the metadata file. */
  readonly path: string;
  /** The checksum, and those of the files beside it. */
  readonly problem: string;
}

/**
 * Compares each `metadata.json` that has a `sha256_checksum` with the files beside it: one of them must match. Ignores
 * metadata without that field, or alone in its folder. Needs read permission.
 *
 * @param dir the folder of the files
 * @returns the first wrong one
 */
export function findWrongChecksum(
  fs: FileSystem,
  dir: string,
  files: readonly MeasuredFile[],
): WrongChecksum | undefined {
  const described = files.filter(({ path, bytes }) => isMetadata({ path }) && bytes <= METADATA_BYTES_MAX);
  if (described.length === 0) return undefined;
  const folders = Map.groupBy(files, (file) => posix.dirname(file.path));
  for (const metadata of described) {
    const checksum = readChecksum(findText(fs, join(dir, metadata.path)) ?? "");
    if (checksum === undefined) continue;
    const beside = (folders.get(posix.dirname(metadata.path)) ?? []).filter((file) => file !== metadata);
    if (beside.length === 0 || beside.some(({ sha256 }) => sha256 === checksum)) continue;
    return {
      path: metadata.path,
      problem: `its sha256_checksum is ${oneLine(checksum.slice(0, CHECKSUM_CHARS_MAX))}, but ${
        beside.slice(0, NAMED_MAX).map(({ path, sha256 }) => `${path} has SHA-256 ${sha256}`).join(" and ")
      }`,
    };
  }
  return undefined;
}

/** Whether a file describes the model beside it, by its name. */
export function isMetadata({ path }: Pick<MeasuredFile, "path">): boolean {
  return path === METADATA_NAME || path.endsWith(`/${METADATA_NAME}`);
}

/**
 * Refuses files with a wrong checksum in a `metadata.json`.
 *
 * @throws {RefusedError} code `CHECKSUM_MISMATCH`, naming the metadata and the files beside it
 */
export function refuseWrongChecksums(fs: FileSystem, dir: string, files: readonly MeasuredFile[]): void {
  const wrong = findWrongChecksum(fs, dir, files);
  if (wrong === undefined) return;
  throw new RefusedError(`Cannot accept ${wrong.path}: ${wrong.problem}`, {
    code: "CHECKSUM_MISMATCH",
    hint: CHECKSUM_HINT,
  });
}

export const CHECKSUM_HINT =
  "the metadata describes another model: train and upload both again; the active release is untouched";

/** The most files that a message names. */
const NAMED_MAX = 3;

function readChecksum(text: string): string | undefined {
  // Other metadata, and a text that is not JSON, names no checksum.
  const { sha256_checksum = "" } = Metadata.safeParse(parseJson(text)).data ?? {};
  const checksum = sha256_checksum.trim().toLowerCase().replace(/^sha256:/, "");
  return checksum === "" ? undefined : checksum;
}
