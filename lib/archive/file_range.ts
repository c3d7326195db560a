/** A file with random access. */
export type SeekableFile = Pick<Deno.FsFile, "read" | "readSync" | "seekSync" | "close">;

/** A range of a file. */
export interface FileRange {
  readonly offset: number;
  readonly bytes: number;
}

/** Returns a range of a file as a file. Closing it closes the original file. */
export function fileRange(file: SeekableFile, { offset, bytes }: FileRange): SeekableFile {
  let at = 0;
  const room = (buffer: Uint8Array) => buffer.subarray(0, Math.max(bytes - at, 0));
  const count = (read: number | null) => {
    at += read ?? 0;
    return read;
  };
  return {
    seekSync(place) {
      at = Number(place);
      return file.seekSync(offset + at, Deno.SeekMode.Start) - offset;
    },
    readSync(buffer) {
      const part = room(buffer);
      return part.length === 0 ? null : count(file.readSync(part));
    },
    async read(buffer) {
      const part = room(buffer);
      return part.length === 0 ? null : count(await file.read(part));
    },
    close: () => file.close(),
  };
}
