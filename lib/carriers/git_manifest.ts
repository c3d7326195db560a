import type { Context } from "../core/context.ts";
import { DiskError, FailedError, ModelSyncError, RefusedError } from "../core/errors.ts";
import type { Sha256 } from "../core/hash.ts";
import { PathLookup } from "../core/path_lookup.ts";
import { readSmallBlob } from "../git/blobs.ts";
import type { Git } from "../git/git.ts";
import { blobIdOfBytes, objectFormatOf, type ObjectId } from "../git/object_id.ts";
import { manifestPathOf, signaturePathOf, type TreeFile } from "../git/tree.ts";
import type { ClaimProblem, ManifestClaim, Offer } from "./carrier.ts";
import type { BlobMemory } from "../store/blob_memory.ts";
import { followManifest, type KnownManifest } from "../release/follow_manifest.ts";
import {
  type Manifest,
  parseManifest,
  readManifest,
  type ReleaseFile,
  SEQUENCE_MAX,
} from "../release/manifest.ts";
import { manifestFile, type RegistryFile, SIGNATURE_NAME, signatureFile } from "../release/registry_file.ts";

/** The objects of a commit's manifest and of the signature beside it. */
export interface ClaimBlobs {
  readonly manifestBlob: ObjectId;
  readonly signatureBlob: ObjectId | undefined;
}

/** Where a commit's manifest is. */
export interface ClaimPlace {
  readonly blobs: ClaimBlobs;
  readonly commit: ObjectId;
  readonly subdir: string;
  /** A manifest that was checked before. */
  readonly known?: KnownManifest | undefined;
}

/** Returns the content of a git object, within the limits of the file. */
type ReadBlob = (id: ObjectId, file: RegistryFile) => Promise<Uint8Array<ArrayBuffer>>;

/**
 * Reads the manifest of a commit and the signature beside it.
 *
 * @throws {RefusedError} codes `MANIFEST_INVALID`, `SIGNATURE_INVALID`
 */
export async function readClaim(
  read: ReadBlob,
  { blobs: { manifestBlob, signatureBlob }, commit, subdir, known }: ClaimPlace,
): Promise<ManifestClaim> {
  const nameOf = (path: string) => `${path} of commit ${commit.slice(0, 12)}`;
  const name = nameOf(manifestPathOf(subdir));
  const { text, following } = await readFollowing(read, manifestBlob, manifestFile(name), known);
  const manifest = following?.manifest ?? await parseManifest(text, name);
  if (signatureBlob === undefined) return { manifest, text, following };
  const signature = await read(signatureBlob, signatureFile(nameOf(signaturePathOf(subdir))));
  return { manifest, text, signature: new TextDecoder().decode(signature), following };
}

/** Returns a manifest's text. Its bytes are free again when the text is parsed: those of 50,000 entries take 7 MB. */
async function readFollowing(
  read: ReadBlob,
  id: ObjectId,
  file: RegistryFile,
  known: KnownManifest | undefined,
): Promise<Pick<ManifestClaim, "text" | "following">> {
  const bytes = await read(id, file);
  const text = new TextDecoder().decode(bytes);
  return { text, following: known && await followManifest({ bytes, text }, known) };
}

/**
 * As {@link readClaim}, with git that does not compare objects with their names.
 *
 * @returns `undefined` if the manifest cannot be used: what is fetched may be sound, or the error says more
 * @throws {DiskError}
 */
export async function findSoundClaim(git: Git, place: ClaimPlace): Promise<ManifestClaim | undefined> {
  try {
    return await readClaim(async (id, file) => {
      const bytes = await readSmallBlob(git, id, file);
      if (await blobIdOfBytes(objectFormatOf(id), bytes) === id) return bytes;
      throw new FailedError(`Cannot read object ${id}: its content has another name`, { code: "GIT_OBJECT" });
    }, place);
  } catch (error) {
    if (!(error instanceof ModelSyncError) || error instanceof DiskError) throw error;
    return undefined;
  }
}

/**
 * Reads the manifest that a publish builds on. A damaged one counts as missing, because the publish replaces it.
 *
 * @param read returns its text, within the limits of the file
 * @param where named in the warning: `model-sync.json of commit 1a2b3c4`
 * @param isChecked whether this machine checked or wrote it before
 */
export async function readManifestToReplace(
  context: Context,
  read: (file: RegistryFile) => string | Promise<string>,
  where: string,
  isChecked = false,
): Promise<ManifestClaim | undefined> {
  try {
    const text = await read(manifestFile(where));
    return { manifest: isChecked ? readManifest(text, where) : await parseManifest(text, where), text };
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    context.log.warn(`${error.message}; it will be replaced`);
    return undefined;
  }
}

/** Reads the signature that a publish compares its own with. A damaged one counts as missing. */
export async function readSignatureToReplace(
  read: (file: RegistryFile) => string | undefined | Promise<string>,
): Promise<string | undefined> {
  try {
    return await read(signatureFile(SIGNATURE_NAME));
  } catch (error) {
    if (error instanceof RefusedError) return undefined;
    throw error;
  }
}

/**
 * Returns the sequence of the next release: one more than the registry's, or than the last that this machine published
 * there, if the registry has lost its manifest.
 *
 * @throws {RefusedError} code `SEQUENCE_LAST`
 */
export function nextSequence(manifest: Manifest | undefined, remembered: number, where: string): number {
  const last = manifest?.sequence ?? 0;
  if (last >= SEQUENCE_MAX) {
    throw new RefusedError(
      `Cannot publish to ${where}: its model-sync.json has sequence ${last}, which is the highest possible`,
      {
        code: "SEQUENCE_LAST",
        hint: "commit a smaller sequence to model-sync.json by hand and publish again; " +
          "then pull once with --allow-downgrade on every machine",
      },
    );
  }
  // After the highest sequence was removed from the registry by hand, it must not return from this memory.
  return Math.max(last, remembered < SEQUENCE_MAX ? remembered : 0) + 1;
}

/** Returns the first difference between offered files and a manifest that shows before the download. */
export function findClaimProblem(
  offered: Offer["files"],
  claimed: readonly ReleaseFile[],
): ClaimProblem | undefined {
  const listed = new PathLookup(claimed);
  const extra = offered.find((file) => listed.get(file.path) === undefined);
  if (extra !== undefined) return { what: `the commit has ${extra.path}, which it does not list` };
  const present = new PathLookup(offered);
  const missing = claimed.find((file) => present.get(file.path) === undefined);
  if (missing !== undefined) return { what: `it lists ${missing.path}, which the commit does not have` };
  const again = new PathLookup(claimed);
  for (const { path, sha256 } of offered) {
    const said = again.get(path)?.sha256;
    if (sha256 !== said) return { what: `${path} has SHA-256 ${sha256}, manifest says ${said}` };
  }
  return undefined;
}

/**
 * Returns the files of a commit, with digests from earlier pulls or else from the manifest.
 *
 * @param holds whether the store holds a content. A digest that differs from the manifest counts only then: otherwise the
 * memory may be damaged, and the download shows what the file is
 */
export function offeredFiles(
  files: readonly TreeFile[],
  claim: ManifestClaim | undefined,
  memory: BlobMemory | undefined,
  holds: (sha256: Sha256) => boolean,
): Offer["files"] {
  const claimed = new PathLookup(claim?.manifest.files ?? []);
  return files.map(({ path, blob }) => {
    const file = claimed.get(path);
    const known = memory?.find(blob);
    const isTrusted = known !== undefined && (file === undefined || known === file.sha256 || holds(known));
    const sha256 = isTrusted ? known : file?.sha256;
    // For many files, another object of each takes memory.
    return file !== undefined && file.sha256 === sha256 ? file : { path, sha256, size: file?.size };
  });
}
