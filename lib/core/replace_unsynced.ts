import { type FileSystem, removeIfThere, writeAllSync } from "./files.ts";

/**
 * Replaces a small file as `replaceFile` does, but syncs nothing: after a power cut the old content is there, the new one,
 * or less of it. For a memory whose reader notices that.
 */
export function replaceUnsynced(fs: FileSystem, path: string, content: string): void {
  const temporary = `${path}.new`;
  removeIfThere(fs, temporary);
  try {
    using file = fs.openSync(temporary, { write: true, createNew: true });
    writeAllSync(file, new TextEncoder().encode(content));
    fs.renameSync(temporary, path);
  } catch (error) {
    removeIfThere(fs, temporary);
    throw error;
  }
}
