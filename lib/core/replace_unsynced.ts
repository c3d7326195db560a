import { type FileSystem, removeIfThere, writeAllSync } from "./files.ts";

/**
 * Replaces a small file as `replaceFile` does, but syncs nothing: after a power cut the old content is there, the new one,
 * or less of it. For a memory whose reader notices that.
 *
 * @param content in pieces, of which only one has to be in memory
 */
export function replaceUnsynced(fs: FileSystem, path: string, content: Iterable<Uint8Array>): void {
  const temporary = `${path}.new`;
  removeIfThere(fs, temporary);
  try {
    using file = fs.openSync(temporary, { write: true, createNew: true });
    for (const piece of content) writeAllSync(file, piece);
    fs.renameSync(temporary, path);
  } catch (error) {
    removeIfThere(fs, temporary);
    throw error;
  }
}
