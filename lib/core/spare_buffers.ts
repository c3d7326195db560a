/** Large enough that a read is not dominated by its system call, small enough that memory stays flat. */
const BUFFER_BYTES = 1024 * 1024;

/** Buffers for whoever reads next: garbage of this size is collected too late for memory to stay flat. */
const spareBuffers: Uint8Array<ArrayBuffer>[] = [];

/** As many as are in use at once: two for each of the few files that are read side by side. */
const SPARE_BUFFERS_MAX = 16;

/** A buffer to read into, of 1 MiB; what is in it is left over. Give it back with {@link giveBuffer}. */
export function takeBuffer(): Uint8Array<ArrayBuffer> {
  return spareBuffers.pop() ?? new Uint8Array(BUFFER_BYTES);
}

/** Takes back a buffer that nothing reads or writes any more. */
export function giveBuffer(buffer: Uint8Array<ArrayBuffer>): void {
  if (spareBuffers.length < SPARE_BUFFERS_MAX) spareBuffers.push(buffer);
}
