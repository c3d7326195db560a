import { readAt } from "./read_at.ts";
import { giveBuffer, takeBuffer } from "./spare_buffers.ts";

/**
 * Reads a file piece by piece from where it stands, reading the next piece while the last one is used. A piece is
 * valid until the next is asked for.
 *
 * @param bytes how many to read at most; fewer come when the file ends before
 */
export async function* readPieces(
  file: Pick<Deno.FsFile, "read">,
  signal: AbortSignal,
  bytes = Infinity,
): AsyncGenerator<Uint8Array> {
  let current = takeBuffer();
  let next = takeBuffer();
  let left = bytes;
  const read = async (buffer: Uint8Array<ArrayBuffer>) =>
    left === 0 ? null : await file.read(left < buffer.length ? buffer.subarray(0, left) : buffer);
  try {
    let size = await read(current);
    while (size !== null) {
      signal.throwIfAborted();
      left -= size;
      const reading = read(next);
      // A failure belongs to whoever asks for the next piece, and must not end the process before that.
      reading.catch(() => {});
      try {
        yield current.subarray(0, size);
      } finally {
        size = await reading;
      }
      [current, next] = [next, current];
    }
  } finally {
    giveBuffer(current);
    giveBuffer(next);
  }
}

/** Up to here, a read or a write is done before another thread could be asked to do it. */
export const AT_ONCE_BYTES = 64 * 1024;

/** As {@link readPieces}, from a place in the file. */
export async function* readRange(
  file: Pick<Deno.FsFile, "read" | "readSync" | "seekSync">,
  range: { readonly offset: number; readonly bytes: number },
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  signal.throwIfAborted();
  if (range.bytes <= AT_ONCE_BYTES) {
    const piece = readAt(file, range.offset, range.bytes);
    if (piece.length > 0) yield piece;
    return;
  }
  file.seekSync(range.offset, Deno.SeekMode.Start);
  yield* readPieces(file, signal, range.bytes);
}
