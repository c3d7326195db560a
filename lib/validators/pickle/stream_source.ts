import type { PickleSource } from "./pickle_reader.ts";

/** Reads pieces as they come, each valid until the next is asked for; what is passed over is thrown away. */
export function streamSource(pieces: AsyncIterable<Uint8Array>, signal: AbortSignal): PickleSource {
  const iterator = pieces[Symbol.asyncIterator]();
  let rest: Uint8Array = new Uint8Array(0);
  const next = async () => {
    signal.throwIfAborted();
    const { done, value } = await iterator.next();
    return done ? undefined : value;
  };
  return {
    async read() {
      const left = rest;
      rest = new Uint8Array(0);
      if (left.length > 0) return left;
      let piece = await next();
      while (piece?.length === 0) piece = await next();
      return piece;
    },
    async skip(bytes) {
      let missing = bytes;
      while (missing > 0) {
        if (rest.length === 0) {
          const piece = await next();
          if (piece === undefined) break;
          rest = piece;
        }
        const taken = Math.min(missing, rest.length);
        rest = rest.subarray(taken);
        missing -= taken;
      }
      return bytes - missing;
    },
    async close() {
      await iterator.return?.();
    },
  };
}
