import { readAt } from "./read_at.ts";
import { giveBuffer, takeBuffer } from "./spare_buffers.ts";

/**
 * Yields a file in pieces from its current position, and reads the next piece while the caller uses the last one. A
 * piece is valid until the next one is requested.
 *
 * @param bytes the most to read; fewer if the file ends before
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
      // The caller gets a failure with its next request. Unhandled until then, it would end the process.
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

/** A read or write up to this size is faster than handing it to another thread. */
export const AT_ONCE_BYTES = 64 * 1024;

/** As {@link readPieces}, for a range of the file. */
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
