import type { Context } from "../core/context.ts";
import { RefusedError } from "../core/errors.ts";
import { type Blob, collectBlob, readBlobs } from "../git/blobs.ts";
import type { Git } from "../git/git.ts";
import { lfsMissing } from "../git/git_error.ts";
import { readLfsContent } from "../git/lfs.ts";
import type { ObjectId } from "../git/object_id.ts";
import type { Registry } from "../git/registry.ts";
import type { TreeFile } from "../git/tree.ts";
import { type LfsPointer, parsePointer } from "../release/lfs_pointer.ts";
import type { FileList } from "../release/file_list.ts";
import type { BlobMemory } from "../store/blob_memory.ts";
import { SMALL_FILE_BYTES_MAX } from "../store/small_file.ts";
import type { Staging } from "../store/staging.ts";
import type { Offer } from "./carrier.ts";
import type { LfsParts } from "./lfs_parts.ts";

/** Where git objects are read from. */
export interface BlobPlace {
  readonly registry: Registry;
  /** Reads the objects of the clone and of the scratch folder. */
  readonly git: Git;
  /** Completes "Cannot …" in errors of git: `read files from the clone`. */
  readonly action?: string | undefined;
  /** Whether git-lfs is installed. */
  readonly hasLfs: () => Promise<boolean>;
  /** Returns what downloads files in Git LFS of which the store holds parts. */
  readonly openLfsParts: () => Promise<LfsParts | undefined>;
  /** The manifest's entries, by their paths. */
  readonly claimed: ClaimedFiles;
}

/** The entries of a manifest, if there is one. */
type ClaimedFiles = Pick<FileList, "find"> | undefined;

/** The files to stage, by their objects: each is read once. */
export interface WantedFiles {
  /** The names of the objects. */
  readonly ids: readonly ObjectId[];
  /** One file for each object, in the same order. */
  readonly first: readonly TreeFile[];
  /** The other files of an object. */
  readonly others: ReadonlyMap<ObjectId, readonly TreeFile[]>;
  /** The sum of the objects' sizes; 0 if they are unknown. */
  readonly bytes: number;
}

/**
 * Returns the files by their objects. Most have an object of their own: a map of all would take 7 MB for 50,000.
 *
 * @param claimed the manifest's entries
 */
export function byObject(files: readonly TreeFile[], claimed: ClaimedFiles): WantedFiles {
  const seen = new Set<ObjectId>();
  const first: TreeFile[] = [];
  const others = new Map<ObjectId, readonly TreeFile[]>();
  let bytes = 0;
  for (const file of files) {
    if (seen.has(file.blob)) others.set(file.blob, [...others.get(file.blob) ?? [], file]);
    else {
      seen.add(file.blob);
      first.push(file);
      bytes += claimed?.find(file.path)?.size ?? 0;
    }
  }
  return { ids: first.map(({ blob }) => blob), first, others, bytes };
}

/**
 * Writes the content of git objects into staging, and downloads the content of Git LFS pointers.
 *
 * @param wanted their objects are fetched already
 * @throws {RefusedError} code `DIGEST_MISMATCH` for content that differs from its LFS pointer;
 * {@link MissingObjectError}
 */
export async function stageBlobs(
  context: Context,
  place: BlobPlace,
  staging: Staging,
  { ids, first, others, bytes: totalBytes }: WantedFiles,
): Promise<void> {
  let doneBytes = 0;
  let at = 0;
  for await (const blob of readBlobs(place.git, ids, place.action)) {
    const files = first.slice(at, ++at).concat(others.get(blob.id) ?? []);
    const show = (bytes: number) =>
      context.log.progress("verifying", doneBytes + bytes, totalBytes || undefined);
    if (blob.bytes <= SMALL_FILE_BYTES_MAX) {
      context.signal.throwIfAborted();
      const content = await collectBlob(blob);
      for (const file of files) await writeSmallFile(context, place, staging, file, content);
    } else {
      await writeLargeFile(staging, files, { ...blob, content: countPieces(blob.content, show) });
    }
    show(blob.bytes);
    doneBytes += blob.bytes;
  }
}

async function writeSmallFile(
  context: Context,
  place: BlobPlace,
  staging: Staging,
  file: TreeFile,
  content: Uint8Array,
): Promise<void> {
  const pointer = parsePointer(content);
  if (pointer === undefined) {
    await staging.writeOfMany(file.path, content, place.claimed?.find(file.path)?.sha256);
  } else await writeLfsFile(context, place, staging, file, pointer);
}

async function writeLfsFile(
  context: Context,
  { registry, hasLfs, openLfsParts, claimed }: BlobPlace,
  staging: Staging,
  file: TreeFile,
  pointer: LfsPointer,
): Promise<void> {
  if (await staging.link(file.path, pointer.sha256)) return;
  if (!await hasLfs()) throw lfsMissing(`${file.path} is stored with Git LFS`);
  const entry = claimed?.find(file.path);
  const parts = entry?.contentChunks === undefined ? undefined : await openLfsParts();
  if (entry !== undefined && await parts?.stage(staging, entry, pointer) === true) return;
  await staging.requireSpace(pointer.bytes * 2);
  const content = readLfsContent(context, registry, file.path, pointer);
  const staged = await staging.write(file.path, content);
  if (staged.sha256 === pointer.sha256) return await parts?.forget(pointer);
  throw new RefusedError(
    `Cannot accept ${file.path}: Git LFS returned SHA-256 ${staged.sha256}, its pointer says ${pointer.sha256}`,
    {
      code: "DIGEST_MISMATCH",
      hint: "push the file again from the training side; the active release is untouched",
    },
  );
}

/** Streams the bytes into the first file, and links the others with the same content to it. */
async function writeLargeFile(staging: Staging, files: readonly TreeFile[], blob: Blob): Promise<void> {
  const [first, ...others] = files;
  if (first === undefined) return;
  const staged = await staging.write(first.path, blob.content);
  for (const other of others) await staging.linkStaged(other.path, staged);
}

/** Yields the same pieces, and calls `onBytes` with the total so far after each piece was used. */
async function* countPieces(
  pieces: AsyncIterable<Uint8Array>,
  onBytes: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const piece of pieces) {
    yield piece;
    onBytes(bytes += piece.length);
  }
}

/**
 * Remembers the digests of staged objects.
 *
 * @param claimed what the manifest says of the files: only objects that match it are remembered. A damaged one must not be
 * refused after it is repaired
 */
export function rememberBlobs(
  memory: BlobMemory | undefined,
  staging: Staging,
  offer: Pick<Offer, "files">,
  files: readonly TreeFile[],
  claimed: ClaimedFiles,
): void {
  if (memory === undefined) return;
  for (const { path, blob } of files) {
    const sha256 = staging.digestOf(path)?.sha256;
    const isSound = claimed === undefined || claimed.find(path)?.sha256 === sha256;
    if (sha256 !== undefined && isSound) memory.remember(blob, sha256);
  }
  memory.save(offer.files.length, () => staging.openHolds());
}
