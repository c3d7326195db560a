/** Large enough to make system calls cheap, small enough to keep memory flat. */
const BUFFER_BYTES = 1024 * 1024;

/** Buffers for reuse. Garbage of this size is collected too late for memory to stay flat. */
const spareBuffers: Uint8Array<ArrayBuffer>[] = [];

/** Two for each of the few files that are read concurrently. */
const SPARE_BUFFERS_MAX = 16;

/** Returns a buffer of 1 MiB with arbitrary content. Return it with {@link giveBuffer}. */
export function takeBuffer(): Uint8Array<ArrayBuffer> {
  return spareBuffers.pop() ?? new Uint8Array(BUFFER_BYTES);
}

/** Returns a buffer to the pool. Nothing may read or write it any more. */
export function giveBuffer(buffer: Uint8Array<ArrayBuffer>): void {
  if (spareBuffers.length < SPARE_BUFFERS_MAX) spareBuffers.push(buffer);
}
