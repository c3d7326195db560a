/** Returns `length` bytes from `offset`; fewer if the file ends before. */
export function readAt(
  file: Pick<Deno.FsFile, "readSync" | "seekSync">,
  offset: number,
  length: number,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  return bytes.subarray(0, readInto(file, offset, bytes));
}

/** Fills `bytes` from `offset`, and returns the number of bytes read; fewer if the file ends before. */
export function readInto(
  file: Pick<Deno.FsFile, "readSync" | "seekSync">,
  offset: number,
  bytes: Uint8Array,
): number {
  file.seekSync(offset, Deno.SeekMode.Start);
  let size = 0;
  while (size < bytes.length) {
    const count = file.readSync(bytes.subarray(size));
    if (count === null) break;
    size += count;
  }
  return size;
}

/** Reads small, mostly adjacent pieces of a file with few system calls. */
export class FileWindow {
  readonly #file: Pick<Deno.FsFile, "readSync" | "seekSync">;
  #buffer: Uint8Array;
  #start = 0;
  #size = 0;

  /** @param bytes the size of one read */
  constructor(file: Pick<Deno.FsFile, "readSync" | "seekSync">, bytes: number) {
    this.#file = file;
    this.#buffer = new Uint8Array(bytes);
  }

  /** Returns bytes that are valid until the next call; `undefined` if the file ends before. */
  bytes(offset: number, length: number): Uint8Array | undefined {
    const isThere = offset >= this.#start && offset + length <= this.#start + this.#size;
    if (!isThere) {
      if (length > this.#buffer.length) this.#buffer = new Uint8Array(length);
      this.#start = offset;
      this.#size = readInto(this.#file, offset, this.#buffer);
      if (this.#size < length) return undefined;
    }
    return this.#buffer.subarray(offset - this.#start, offset - this.#start + length);
  }
}
