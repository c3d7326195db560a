import type { FileSystem } from "../core/files.ts";
import { readPieces } from "../core/read_pieces.ts";

/** Returns the CRC-32 of a file, as a ZIP states it. Needs read permission. */
export async function contentCrc(fs: FileSystem, path: string, signal: AbortSignal): Promise<number> {
  // Loaded here, because node:zlib would cost every start 30 ms.
  const { crc32 } = await import("node:zlib");
  using file = await fs.open(path, { read: true });
  let crc = 0;
  for await (const piece of readPieces(file, signal)) crc = crc32(piece, crc);
  return crc;
}
