import { quote } from "../core/quote.ts";
import { delimiter, join } from "node:path";
import type { ByteReader } from "./byte_reader.ts";
import { askForObjects } from "./cat_file.ts";
import { FailedError, RefusedError } from "../core/errors.ts";
import { type FileSystem, PRIVATE_FOLDER_MODE, removeTree } from "../core/files.ts";
import { refuseOversized, type RegistryFile } from "../release/registry_file.ts";
import type { Git } from "./git.ts";
import type { ObjectId } from "./object_id.ts";
import type { Registry } from "./registry.ts";

/**
 * Runs the clone's git with a temporary folder for new objects. Blobs are fetched into it, read once and deleted. The
 * store keeps the files, so a clone of our own does not grow with every release.
 */
export function withScratchObjects(registry: Registry, fs: FileSystem, scratch: string): Git {
  const scratchGit = registry.git.with({
    // Files that are deleted soon need not be synced.
    config: ["core.fsync=none"],
    env: { GIT_OBJECT_DIRECTORY: makeObjectsFolder(fs, scratch) },
  });
  return alsoReading(scratchGit, [registry.objectsDir]);
}

/** Returns git that also reads objects in these folders. */
export function alsoReading(git: Git, objectDirs: readonly string[]): Git {
  return git.with({ env: { GIT_ALTERNATE_OBJECT_DIRECTORIES: objectDirs.map(listed).join(delimiter) } });
}

/**
 * Deletes the objects in a temporary folder, of which git still uses the folder. Before the disk is synced: it would write
 * them, too.
 */
export async function dropScratchObjects(fs: FileSystem, scratch: string): Promise<void> {
  await removeTree(fs, join(scratch, "objects"));
  makeObjectsFolder(fs, scratch);
}

function makeObjectsFolder(fs: FileSystem, scratch: string): string {
  const objects = join(scratch, "objects");
  // Git creates files in it with the umask, which in a user's clone may let every user write them.
  fs.mkdirSync(objects, { recursive: true, mode: PRIVATE_FOLDER_MODE });
  return objects;
}

/** Returns a path as an entry of a list that git splits: quoted as in C if it contains the separator (git(1)). */
function listed(path: string): string {
  return path.includes(delimiter) ? `"${path.replace(/["\\]/g, "\\$&")}"` : path;
}

/** A blob's size and its bytes. Read all bytes before you request the next blob. */
export interface Blob {
  readonly id: ObjectId;
  readonly bytes: number;
  readonly content: AsyncIterable<Uint8Array>;
  /** Its bytes, if they arrived in one piece. Valid until the next blob is requested. */
  readonly whole: Uint8Array | undefined;
}

/** Git does not have an object. */
export class MissingObjectError extends FailedError {
  constructor(action: string, id: ObjectId) {
    super(`Cannot ${action}: git answers ${quote(`${id} missing`)} for ${id}`, { code: "GIT_OBJECT" });
  }
}

/**
 * Streams blobs in the order of `ids`. All of them must be in a folder that git reads.
 *
 * @param action completes "Cannot …" in errors
 */
export async function* readBlobs(
  git: Git,
  ids: readonly ObjectId[],
  action = "read files from the clone",
): AsyncGenerator<Blob> {
  for await (const { name: id, header, reader } of askForObjects(git, ids, action)) {
    const bytes = /^[0-9a-f]{40,64} blob (\d+)$/.exec(header)?.[1];
    const other = bytes === undefined && /^[0-9a-f]{40,64} (tree|commit|tag) \d+$/.exec(header)?.[1];
    if (typeof other === "string") {
      throw new RefusedError(`Cannot ${action}: object ${id} is a ${other}, not a file`, {
        code: "REGISTRY_UNFIT",
        hint: "publish the release again; the active release is untouched",
      });
    }
    if (header === `${id} missing`) throw new MissingObjectError(action, id);
    if (bytes === undefined) {
      throw new FailedError(`Cannot ${action}: git answers ${quote(header)} for ${id}`, {
        code: "GIT_OBJECT",
      });
    }
    yield blobOf(id, Number(bytes), reader);
  }
}

/** Many small files arrive in one piece. Reading them without a copy and without waiting takes half of the time. */
function blobOf(id: ObjectId, bytes: number, reader: ByteReader): Blob {
  const whole = reader.takeBytes(bytes);
  return { id, bytes, whole, content: whole === undefined ? reader.readBytes(bytes) : piecesOf([whole]) };
}

async function* piecesOf(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces;
}

/**
 * Returns one small file of the registry.
 *
 * @throws {RefusedError} the file exceeds the size limit of its kind
 */
export async function readSmallBlob(
  git: Git,
  id: ObjectId,
  file: RegistryFile,
): Promise<Uint8Array<ArrayBuffer>> {
  for await (const blob of readBlobs(git, [id])) {
    refuseOversized(file, blob.bytes);
    // Only what arrived in one piece is valid until the next piece. A copy of another manifest would take 7 MB.
    return blob.whole?.slice() ?? await joinPieces(blob);
  }
  throw new FailedError(`Cannot read object ${id}: git answered nothing`, { code: "GIT_OBJECT" });
}

/** Returns the content of a small blob. It is valid until the next blob is requested. */
export async function collectBlob(blob: Blob): Promise<Uint8Array> {
  return blob.whole ?? await joinPieces(blob);
}

async function joinPieces(blob: Blob): Promise<Uint8Array<ArrayBuffer>> {
  const content = new Uint8Array(blob.bytes);
  let offset = 0;
  for await (const piece of blob.content) {
    content.set(piece, offset);
    offset += piece.length;
  }
  return content;
}

/** Fetches those of these objects that the clone does not hold. */
export async function fetchBlobs(
  registry: Registry,
  blobs: readonly ObjectId[],
  git = registry.git,
): Promise<void> {
  if (blobs.length === 0) return;
  const output = await git.with({ env: { GIT_NO_LAZY_FETCH: "1" } }).text(["cat-file", "--batch-check"], {
    action: "look for files in the clone",
    stdin: `${blobs.join("\n")}\n`,
  });
  const missing = output.split("\n").filter((line) => line.endsWith(" missing")).map((line) =>
    line.split(" ")[0] ?? ""
  );
  if (missing.length > 0) await registry.fetchObjects(git, [...new Set(missing)]);
}
