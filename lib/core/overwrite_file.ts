import { isDiskFull } from "./errors.ts";
import { type FileSystem, findEntry, writeAllSync } from "./files.ts";
import { replaceFile } from "./replace_file.ts";

/** A block of most file systems. Padded to blocks, the next content mostly fits into the old file. */
const STEP_BYTES = 4096;

/**
 * Replaces a small JSON file as {@link replaceFile} does. On a full disk there is no space for a second file, so it
 * overwrites the old one. A crash at that moment damages it: use this only for data that can be rebuilt.
 *
 * @throws the system's error if the new content is larger than the old file and the disk is full
 */
export function replaceOrOverwrite(fs: FileSystem, path: string, json: string, mode?: number): void {
  const bytes = padded(json);
  try {
    replaceFile(fs, path, bytes, mode);
  } catch (error) {
    if (!isDiskFull(error) || writableBytes(fs, path) < bytes.length) throw error;
    using file = fs.openSync(path, { write: true });
    writeAllSync(file, bytes);
    file.truncateSync(bytes.length);
    file.syncSync();
  }
}

/** Returns the size of a file; 0 for a link, which would redirect the write. */
function writableBytes(fs: FileSystem, path: string): number {
  const found = findEntry(fs, path);
  return found?.isFile === true ? found.size : 0;
}

/** Trailing spaces are valid JSON. */
function padded(json: string): Uint8Array {
  const bytes = new TextEncoder().encode(`${json}\n`);
  const filled = new Uint8Array(Math.ceil(bytes.length / STEP_BYTES) * STEP_BYTES).fill(0x20);
  filled.set(bytes);
  filled[filled.length - 1] = 0x0a;
  return filled;
}
