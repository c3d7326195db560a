import { READ_BYTES } from "./pickle_limits.ts";
import type { PickleSource } from "./pickle_reader.ts";

/** Most files begin as no pickle does, and nothing more is read of them. */
const FIRST_READ_BYTES = 8 * 1024;

/** How much more is read each time: of most pickles, what is left behind their arrays is short. */
const GROWTH = 4;

/** Reads a file from its beginning; what is passed over is not read. The file stays open. */
export function fileSource(
  file: Pick<Deno.FsFile, "read" | "seekSync">,
  size: number,
  signal: AbortSignal,
): PickleSource {
  // Two in turn: what was read last may still be looked at when the next is read.
  let [next, last] = [new Uint8Array(FIRST_READ_BYTES), new Uint8Array(0)];
  let offset = 0;
  return {
    async read() {
      signal.throwIfAborted();
      const bytes = Math.min(last.length * GROWTH, READ_BYTES);
      if (next.length < bytes) next = new Uint8Array(bytes);
      file.seekSync(offset, Deno.SeekMode.Start);
      const count = await file.read(next);
      if (count === null) return undefined;
      offset += count;
      const piece = next.subarray(0, count);
      [next, last] = [last, next];
      return piece;
    },
    skip(bytes) {
      const skipped = Math.min(bytes, Math.max(size - offset, 0));
      offset += skipped;
      return Promise.resolve(skipped);
    },
    close: () => Promise.resolve(),
  };
}
