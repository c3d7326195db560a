import { posix } from "node:path";
import { openArchive } from "../archive/open_archive.ts";
import type { Archive, ArchiveContent } from "../archive/types.ts";
import type { ArchiveLimits } from "../archive/archive_limits.ts";
import type { Context } from "../core/context.ts";
import { RefusedError } from "../core/errors.ts";
import { readPieces } from "../core/read_pieces.ts";

/** The files of an archive, or a single file, read one after the other. */
export type Contents = Pick<Archive, "entries" | "folders" | "read"> & AsyncDisposable;

/** Models that are ZIP files themselves: PyTorch, NumPy, Keras, TorchServe. */
const ZIPPED_MODEL = /\.(?:pt|pth|ckpt|npz|keras|mar)$/i;

/** File names of archives. A file with an archive's name that cannot be opened as an archive is not a model. */
const NAMED_ARCHIVE = /\.(?:zip|tar|tar\.\w+|tgz|tbz2?|txz|tlz|tzst|7z|rar|cab|cpio)$/i;

/** A file without an extension is more probably a damaged archive than a model. */
const HAS_ENDING = /[^.]\.[a-z0-9]+$/i;

/**
 * Opens an archive. A file that is not an archive is a model with the name of its upload. So is a model whose format is a
 * ZIP, unless the ZIP holds a file of the same name: then it is an archive with the model.
 *
 * @throws {RefusedError} as `openArchive`
 */
export async function openArchiveOrFile(
  context: Pick<Context, "fs" | "signal">,
  path: string,
  name: string,
  limits: ArchiveLimits,
  fileName: string,
): Promise<Contents> {
  if (!HAS_ENDING.test(fileName) || NAMED_ARCHIVE.test(fileName)) {
    return await openArchive(context, path, name, limits);
  }
  try {
    const archive = await openArchive(context, path, name, limits);
    const isPacked = !ZIPPED_MODEL.test(fileName) ||
      archive.entries.some((entry) => posix.basename(entry.path) === fileName);
    if (isPacked) return archive;
    await archive[Symbol.asyncDispose]();
  } catch (error) {
    const isNone = error instanceof RefusedError && error.code === "ARCHIVE_FORMAT";
    if (!isNone && !ZIPPED_MODEL.test(fileName)) throw error;
  }
  return await openFile(context, path, fileName);
}

async function openFile(
  { fs, signal }: Pick<Context, "fs" | "signal">,
  path: string,
  fileName: string,
): Promise<Contents> {
  const file = await fs.open(path, { read: true });
  const entry = { path: fileName, bytes: file.statSync().size };
  return {
    entries: [entry],
    folders: [],
    async *read(wants = () => true): AsyncGenerator<ArchiveContent> {
      if (!wants(entry)) return;
      await file.seek(0, Deno.SeekMode.Start);
      yield { entry, links: [], content: readPieces(file, signal) };
    },
    [Symbol.asyncDispose]() {
      file.close();
      return Promise.resolve();
    },
  };
}
