import { join } from "node:path";
import { changedFile } from "../core/changed_file.ts";
import type { Context } from "../core/context.ts";
import { diskError } from "../core/errors.ts";
import type { Sha256 } from "../core/hash.ts";
import { Turns } from "../core/turns.ts";
import { Working } from "../core/working.ts";
import { formatPointer } from "../release/lfs_pointer.ts";
import type { SetFile } from "../release/model_set.ts";
import { storeLfsObject, syncLfsObjects } from "./lfs.ts";
import { blobIdOf, type ObjectFormat, type ObjectId } from "./object_id.ts";
import { PackWriter } from "./pack_writer.ts";
import { type CommittedFile, readAgain } from "./read_again.ts";

/** The bytes of a text that are added before the disk gets a turn. */
const TEXT_PIECE_BYTES = 1024 * 1024;

/** The files to add to the clone. */
export interface PackPlan {
  /** An existing folder on the clone's file system. */
  readonly scratch: string;
  /** The hash by which the repository names its objects. */
  readonly format: ObjectFormat;
  readonly files: readonly SetFile[];
  /** The paths of the files in Git LFS. */
  readonly inLfs: ReadonlySet<string>;
  /** Git-lfs's folder of objects; `undefined` if no file is in Git LFS. */
  readonly lfsFolder: string | undefined;
  /** The number of texts that {@link describe} returns. */
  readonly textCount: number;
  /** Returns the texts that describe the models, such as the manifest, by path. They are in the pack, too. */
  readonly describe: (files: readonly CommittedFile[]) => Promise<ReadonlyMap<string, TextPieces>>;
}

/** A text in UTF-8. That of many files is in memory once, in pieces. */
export type TextPieces = readonly Uint8Array[];

/** A text in the pack. */
export interface PackedText {
  readonly path: string;
  /** In bytes. */
  readonly size: number;
  readonly blob: ObjectId;
  /** Where its entry begins in the pack. */
  readonly offset: number;
}

/** Packed files, and their pack in the scratch folder, which is not complete yet. */
export interface PackedModels extends AsyncDisposable {
  readonly files: readonly CommittedFile[];
  readonly texts: readonly PackedText[];
  /** Completes the pack, waits until the disk has all content, and returns the pack's name without extension. */
  finish(): Promise<string>;
}

/**
 * Writes models and their description into one pack, and the content of those in Git LFS into git-lfs's folder. Each file
 * is read once, and its digest is compared with the scan.
 *
 * @throws {FailedError} code `MODELS_CHANGING` when a file changed since the scan
 */
export async function packModels(context: Context, plan: PackPlan): Promise<PackedModels> {
  const { files, format, scratch, inLfs, textCount } = plan;
  // Files with the same content are one object.
  const isInLfs = (file: SetFile) => inLfs.has(file.path);
  const packed = { inLfs: new Map<Sha256, CommittedFile>(), plain: new Map<Sha256, CommittedFile>() };
  const count = countContents(files, isInLfs) + countContents(files, (file) => !isInLfs(file)) + textCount;
  const totalBytes = files.reduce((sum, file) => sum + file.size, 0);
  let doneBytes = 0;
  const onBytes = (bytes: number) => context.log.progress("copying", doneBytes += bytes, totalBytes);
  const action = `write models into ${scratch}`;
  try {
    await using resources = new AsyncDisposableStack();
    const pack = resources.use(await PackWriter.create(context.fs, { folder: scratch, format, count }));
    const committed: CommittedFile[] = [];
    const turns = new Turns(context);
    for (const file of files) {
      await turns.next();
      await pack.ready();
      const alike = isInLfs(file) ? packed.inLfs : packed.plain;
      const same = alike.get(file.sha256);
      const added = same === undefined
        ? await addFile(context, plan, pack, file, onBytes)
        : { ...same, path: file.path };
      alike.set(file.sha256, added);
      committed.push(added);
    }
    const texts: PackedText[] = [];
    for (const [path, pieces] of await plan.describe(committed)) {
      texts.push(await addText(pack, path, pieces));
    }
    const open = resources.move();
    return {
      files: committed,
      texts,
      async finish() {
        await syncLfs(context, plan, committed);
        return await pack.finish().catch((error: unknown) => {
          throw diskError(error, action);
        });
      },
      [Symbol.asyncDispose]: () => open.disposeAsync(),
    };
  } catch (error) {
    throw diskError(error, action);
  }
}

/** Other files are synced after the push: until then, the next publish can recreate the commit. */
async function syncLfs(
  context: Context,
  { lfsFolder, inLfs }: PackPlan,
  files: readonly CommittedFile[],
): Promise<void> {
  if (lfsFolder === undefined) return;
  using _working = new Working(context, "writing the commit to the disk");
  const ids = files.filter(({ path }) => inLfs.has(path)).map(({ sha256 }) => sha256);
  await syncLfsObjects(context, lfsFolder, ids);
}

function countContents(files: readonly SetFile[], isCounted: (file: SetFile) => boolean): number {
  const contents = new Set<Sha256>();
  for (const file of files) if (isCounted(file)) contents.add(file.sha256);
  return contents.size;
}

async function addFile(
  context: Context,
  { lfsFolder, inLfs, scratch }: PackPlan,
  pack: PackWriter,
  file: SetFile,
  onBytes: (bytes: number) => void,
): Promise<CommittedFile> {
  if (lfsFolder !== undefined && inLfs.has(file.path)) {
    const release = await storeLfsObject(context, lfsFolder, join(scratch, "lfs"), file, onBytes);
    const { blob } = await addText(pack, file.path, [new TextEncoder().encode(pointerTo(file))]);
    return { ...release, blob };
  }
  const blob = pack.begin(file.size);
  // Without a list of chunks: git transfers whole objects.
  const release = await readAgain(context, file, {
    async onBytes(piece) {
      await pack.ready();
      if (piece.length > blob.left) throw changedFile(file.path);
      blob.update(piece);
      onBytes(piece.length);
    },
  });
  return { ...release, blob: blob.end() };
}

async function addText(pack: PackWriter, path: string, pieces: TextPieces): Promise<PackedText> {
  const size = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const blob = pack.begin(size);
  for (const piece of pieces) {
    for (let start = 0; start < piece.length; start += TEXT_PIECE_BYTES) {
      await pack.ready();
      blob.update(piece.subarray(start, start + TEXT_PIECE_BYTES));
    }
  }
  return { path, size, offset: blob.offset, blob: blob.end() };
}

/** Returns git's name for the pointer to a file in Git LFS. */
export async function pointerId(format: ObjectFormat, file: SetFile): Promise<ObjectId> {
  return await blobIdOf(format, pointerTo(file));
}

function pointerTo({ sha256, size }: SetFile): string {
  return formatPointer({ sha256, bytes: size });
}
