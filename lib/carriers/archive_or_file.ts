import { posix } from "node:path";
import { openArchive } from "../archive/open_archive.ts";
import type { Archive, ArchiveContent } from "../archive/types.ts";
import type { ArchiveLimits } from "../archive/archive_limits.ts";
import type { Context } from "../core/context.ts";
import { RefusedError } from "../core/errors.ts";
import { readPieces } from "../core/read_pieces.ts";

/** What was brought: files that are read one after the other, whether or not an archive holds them. */
export type Contents = Pick<Archive, "entries" | "folders" | "read"> & AsyncDisposable;

/** Models that are ZIP files themselves: PyTorch, NumPy, Keras, TorchServe. */
const ZIPPED_MODEL = /\.(?:pt|pth|ckpt|npz|keras|mar)$/i;

/** Names of archives of any format. A file with such a name that cannot be opened as an archive is not a model. */
const NAMED_ARCHIVE = /\.(?:zip|tar|tar\.\w+|tgz|tbz2?|txz|tlz|tzst|7z|rar|cab|cpio)$/i;

/** Without an ending a file has no kind, and is more probably an archive gone wrong. */
const HAS_ENDING = /[^.]\.[a-z0-9]+$/i;

/**
 * Opens an archive, or takes what is none as the one file that it is, under the name that it was uploaded with. A model
 * whose format is a ZIP is such a file, unless the ZIP holds a file of that very name: then it was packed.
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
