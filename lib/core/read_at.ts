/** Reads `length` bytes from `offset`; fewer when the file ends before. */
export function readAt(
  file: Pick<Deno.FsFile, "readSync" | "seekSync">,
  offset: number,
  length: number,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  return bytes.subarray(0, readInto(file, offset, bytes));
}

/** Fills `bytes` from `offset`. @returns how many there are; fewer when the file ends before */
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

/** Looks at small pieces of a file that mostly lie one after the other, with one read for many of them. */
export class FileWindow {
  readonly #file: Pick<Deno.FsFile, "readSync" | "seekSync">;
  #buffer: Uint8Array;
  #start = 0;
  #size = 0;

  /** @param bytes how much is read at a time */
  constructor(file: Pick<Deno.FsFile, "readSync" | "seekSync">, bytes: number) {
    this.#file = file;
    this.#buffer = new Uint8Array(bytes);
  }

  /** These bytes, valid until the next are asked for; `undefined` when the file ends before their end. */
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
