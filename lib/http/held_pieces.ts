import type { Context } from "../core/context.ts";
import { readPieces } from "../core/read_pieces.ts";
import type { HeldSpan } from "./download_types.ts";

/**
 * Yields the bytes of a held span. If the file cannot be read, or is shorter, it yields fewer bytes: the download then
 * requests the rest. A piece is valid until the next one is requested.
 */
export async function* heldPieces(
  { fs, log, signal }: Pick<Context, "fs" | "log" | "signal">,
  { path, offset, start, end }: HeldSpan,
): AsyncGenerator<Uint8Array> {
  try {
    using file = await fs.open(path, { read: true });
    await file.seek(offset, Deno.SeekMode.Start);
    yield* readPieces(file, signal, end - start);
  } catch (error) {
    signal.throwIfAborted();
    const problem = error instanceof Error ? error.message : String(error);
    log.warn(`cannot reuse ${path}: ${problem}; downloading that part`);
  }
}
