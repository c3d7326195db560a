/** Large enough that a read is not dominated by its system call, small enough that memory stays flat. */
const BUFFER_BYTES = 1024 * 1024;

/** Buffers for the next file: garbage of this size is collected too late for memory to stay flat. */
const spareBuffers: Uint8Array<ArrayBuffer>[] = [];

/** As many as are in use at once: two for each of the few files that are staged side by side. */
const SPARE_BUFFERS_MAX = 16;

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
  let current = spareBuffers.pop() ?? new Uint8Array(BUFFER_BYTES);
  let next = spareBuffers.pop() ?? new Uint8Array(BUFFER_BYTES);
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
    if (spareBuffers.length < SPARE_BUFFERS_MAX) spareBuffers.push(current, next);
  }
}
