import type { Context } from "../core/context.ts";
import { type FileDigest, FileHasher, writeAll } from "../core/hash.ts";
import { WriteBack } from "../core/write_back.ts";

/** Writes content into an open file, hashed in the same pass. @returns its digest */
export async function writeHashed(
  { fs, signal }: Pick<Context, "fs" | "signal">,
  file: Deno.FsFile,
  target: string,
  content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<FileDigest> {
  await using writeBack = new WriteBack(fs, target);
  const hasher = await FileHasher.create();
  for await (const piece of content) {
    signal.throwIfAborted();
    const written = writeAll(file, piece);
    hasher.update(piece);
    await written;
    writeBack.wrote(piece.length);
  }
  await writeBack.finish();
  return hasher.digest();
}
