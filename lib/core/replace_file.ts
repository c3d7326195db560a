import { dirname } from "node:path";
import { encodeText } from "./encode_pieces.ts";
import { type FileSystem, findEntry, removeIfThere, setMode, syncFolder, writeAllSync } from "./files.ts";

/** What a file gets: text, bytes, or bytes in pieces, of which only one has to be in memory. */
export type Content = string | Uint8Array | Iterable<Uint8Array>;

/**
 * Replaces a small file atomically: a crash leaves the old content or the new one. It writes a file beside it, syncs
 * it, renames it over the old one and syncs the folder.
 *
 * @param mode set whatever the umask. Without it, the umask decides.
 */
export function replaceFile(
  fs: FileSystem,
  path: string,
  content: Content,
  mode?: number,
): void {
  replaceContent(fs, path, content, mode);
  syncFolder(fs, dirname(path));
}

/**
 * As {@link replaceFile}, but the folder is not synced: a power cut may bring back the old content, or no file. For
 * callers that sync the folder later, and for memories of which an older one is true as well.
 */
export function replaceContent(
  fs: FileSystem,
  path: string,
  content: Content,
  mode?: number,
): void {
  const temporary = `${path}.new`;
  try {
    writeSynced(fs, temporary, content, mode);
    fs.renameSync(temporary, path);
  } catch (error) {
    removeQuietly(fs, temporary);
    throw error;
  }
}

/**
 * As {@link replaceFile}, but nothing is synced: after a power cut the old content is there, the new one, or less of it.
 * For a memory whose reader notices that.
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

/**
 * Removes an incomplete file, which needs space on a full disk. A failure is ignored: the caller reports the failed
 * write.
 */
function removeQuietly(fs: FileSystem, path: string): void {
  try {
    fs.removeSync(path);
  } catch {
    // The next write replaces the file.
  }
}

function writeSynced(fs: FileSystem, path: string, content: Content, mode?: number): void {
  // A link would redirect the write, a named pipe would wait for a reader, and a file would keep its mode.
  if (findEntry(fs, path) !== undefined) removeIfThere(fs, path);
  const options = { write: true, create: true, truncate: true };
  using file = fs.openSync(path, mode === undefined ? options : { ...options, mode });
  if (mode !== undefined) setMode(fs, path, mode);
  for (const piece of piecesOf(content)) writeAllSync(file, piece);
  file.syncSync();
}

function piecesOf(content: Content): Iterable<Uint8Array> {
  if (typeof content === "string") return encodeText(content);
  return content instanceof Uint8Array ? [content] : content;
}
