import type { FileSystem } from "../core/files.ts";
import { readPieces } from "../core/read_pieces.ts";

/** Returns git's blob id of a content in memory: SHA-1 over `blob <bytes>`, a NUL byte, and the content. */
export async function gitBlobIdOf(content: Uint8Array): Promise<string> {
  const hash = await beginBlob(content.length);
  return hash.update(content).digest("hex");
}

/** As {@link gitBlobIdOf} for a file. Needs read permission. */
export async function gitBlobId(fs: FileSystem, path: string, signal: AbortSignal): Promise<string> {
  using file = await fs.open(path, { read: true });
  const hash = await beginBlob(file.statSync().size);
  for await (const piece of readPieces(file, signal)) hash.update(piece);
  return hash.digest("hex");
}

/** Loads node:crypto only here, because a pull without a new release hashes nothing. */
async function beginBlob(bytes: number) {
  const { createHash } = await import("node:crypto");
  return createHash("sha1").update(`blob ${bytes}\0`);
}
