import type { Context } from "../core/context.ts";
import { messageOf } from "../core/errors.ts";
import { readPieces } from "../core/read_pieces.ts";
import type { HeldSpan } from "./download_types.ts";

/**
 * Yields the bytes of a held span. If the file cannot be read, or is shorter, it yields fewer bytes: the download then
 * requests the rest. A piece is valid until the next one is requested.
 *
 * @param unreadable the files that could not be read yet; each is warned of once, however many spans it has
 */
export async function* heldPieces(
  { fs, log, signal }: Pick<Context, "fs" | "log" | "signal">,
  { path, offset, start, end }: HeldSpan,
  unreadable: Set<string>,
): AsyncGenerator<Uint8Array> {
  try {
    using file = await fs.open(path, { read: true });
    await file.seek(offset, Deno.SeekMode.Start);
    yield* readPieces(file, signal, end - start);
  } catch (error) {
    signal.throwIfAborted();
    if (unreadable.has(path)) return;
    unreadable.add(path);
    log.warn(`cannot reuse ${path}: ${messageOf(error)}; downloading what it lacks`);
  }
}
