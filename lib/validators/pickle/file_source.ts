import { READ_BYTES } from "./pickle_limits.ts";
import type { PickleSource } from "./pickle_reader.ts";

/** Reads a file from its beginning; what is passed over is not read. The file stays open. */
export function fileSource(
  file: Pick<Deno.FsFile, "read" | "seekSync">,
  size: number,
  signal: AbortSignal,
): PickleSource {
  // Two in turn: what was read last may still be looked at when the next is read.
  const buffers = [new Uint8Array(READ_BYTES), new Uint8Array(READ_BYTES)] as const;
  let turn = 0;
  let offset = 0;
  return {
    async read() {
      signal.throwIfAborted();
      const buffer = turn++ % 2 === 0 ? buffers[0] : buffers[1];
      file.seekSync(offset, Deno.SeekMode.Start);
      const count = await file.read(buffer);
      if (count === null) return undefined;
      offset += count;
      return buffer.subarray(0, count);
    },
    skip(bytes) {
      const skipped = Math.min(bytes, Math.max(size - offset, 0));
      offset += skipped;
      return Promise.resolve(skipped);
    },
    close: () => Promise.resolve(),
  };
}
