import { createHash } from "node:crypto";
import type { FileSystem } from "../core/files.ts";
import { readPieces } from "../core/read_pieces.ts";

/** Git's name for a content that is in memory: SHA-1 over `blob <bytes>`, a NUL byte, and the content. */
export function gitBlobIdOf(content: Uint8Array): string {
  return createHash("sha1").update(`blob ${content.length}\0`).update(content).digest("hex");
}

/** As {@link gitBlobIdOf} for a file. Needs read permission. */
export async function gitBlobId(fs: FileSystem, path: string, signal: AbortSignal): Promise<string> {
  using file = await fs.open(path, { read: true });
  const hash = createHash("sha1").update(`blob ${file.statSync().size}\0`);
  for await (const piece of readPieces(file, signal)) hash.update(piece);
  return hash.digest("hex");
}
