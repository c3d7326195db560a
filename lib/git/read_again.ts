import { changedFile, readListed } from "../core/changed_file.ts";
import type { Context } from "../core/context.ts";
import { type FileDigest, hashFile, type HashOptions } from "../core/hash.ts";
import { type ReleaseFile, releaseFile } from "../release/manifest.ts";
import type { SetFile } from "../release/model_set.ts";
import { BlobHasher, type ObjectFormat, type ObjectId } from "./object_id.ts";

/** A file of a release, with git's name for what the commit has in its place. */
export interface CommittedFile extends ReleaseFile {
  /** The name of its content, or of a pointer to it in Git LFS. */
  readonly blob: ObjectId;
}

/**
 * Reads a file of a model set again, and returns its entry in the manifest.
 *
 * @throws {FailedError} code `MODELS_CHANGING` when it changed since the scan
 */
export async function readAgain(
  { fs, signal }: Pick<Context, "fs" | "signal">,
  file: SetFile,
  options: Omit<HashOptions, "signal">,
): Promise<ReleaseFile> {
  const read = () => hashFile(fs, file.location, { signal, ...options });
  return entryOf(file, await readListed(fs, file, read));
}

/** Returns the manifest's entry of a file from its digest now. @throws {FailedError} code `MODELS_CHANGING` */
export function entryOf(file: SetFile, digest: FileDigest): ReleaseFile {
  if (digest.sha256 !== file.sha256) throw changedFile(file.path);
  const { location: _, ...known } = file;
  return { ...known, ...releaseFile(file.path, digest) };
}

/** Reads a file again, and returns git's name for its content. @throws {FailedError} code `MODELS_CHANGING` */
export async function hashBlob(
  context: Pick<Context, "fs" | "signal">,
  format: ObjectFormat,
  file: SetFile,
): Promise<CommittedFile> {
  const blob = await BlobHasher.create(format, file.size);
  const release = await readAgain(context, file, { onBytes: (piece) => blob.update(piece) });
  return { ...release, blob: blob.id() };
}
