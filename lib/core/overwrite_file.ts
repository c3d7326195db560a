import { isDiskFull } from "./errors.ts";
import { type FileSystem, findFile, replaceFile, writeAllSync } from "./files.ts";

/** A block of most file systems: the next content mostly fits into the place of the one before. */
const STEP_BYTES = 4096;

/**
 * Replaces a small JSON file as {@link replaceFile} does. On a full disk, which takes no second file beside the old one,
 * the old one is overwritten in its place: a crash in that moment damages it, so this is for what can be rebuilt.
 *
 * @throws the system's error, where the new content needs more space than the old one has
 */
export function replaceOrOverwrite(fs: FileSystem, path: string, json: string, mode?: number): void {
  const bytes = padded(json);
  try {
    replaceFile(fs, path, bytes, mode);
  } catch (error) {
    if (!isDiskFull(error) || (findFile(fs, path)?.size ?? 0) < bytes.length) throw error;
    using file = fs.openSync(path, { write: true });
    writeAllSync(file, bytes);
    file.truncateSync(bytes.length);
    file.syncSync();
  }
}

/** JSON may end in blanks. */
function padded(json: string): Uint8Array {
  const bytes = new TextEncoder().encode(`${json}\n`);
  const filled = new Uint8Array(Math.ceil(bytes.length / STEP_BYTES) * STEP_BYTES).fill(0x20);
  filled.set(bytes);
  filled[filled.length - 1] = 0x0a;
  return filled;
}
