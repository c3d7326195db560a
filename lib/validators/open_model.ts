import type { SeekableFile } from "../archive/file_range.ts";
import type { FileSystem } from "../core/files.ts";
import { MemoryFile } from "../core/memory_file.ts";
import { readAt } from "../core/read_at.ts";
import { AT_ONCE_BYTES } from "../core/read_pieces.ts";
import type { ModelFile } from "./checker.ts";

/** Opens a file for a check: its bytes if they are in memory, else the file on the disk, which needs read permission. */
export function openModel(fs: FileSystem, { bytes, location }: ModelFile): SeekableFile & Disposable {
  return bytes === undefined ? fs.openSync(location, { read: true }) : new MemoryFile(bytes);
}

/** Returns the file with its bytes, if it is small: several checks then open and read it once. */
export function loadSmall(fs: FileSystem, file: ModelFile): ModelFile {
  if (file.bytes !== undefined || file.size > AT_ONCE_BYTES) return file;
  using opened = fs.openSync(file.location, { read: true });
  return withBytes(file, readAt(opened, 0, file.size));
}

/** Returns the file with bytes that are in memory. */
export function withBytes(file: ModelFile, bytes: Uint8Array): ModelFile {
  const { path, size, sha256 } = file;
  return {
    path,
    size,
    sha256,
    bytes,
    get location() {
      return file.location;
    },
  };
}
