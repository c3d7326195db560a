import type { PickleSource } from "./pickle_reader.ts";

/** The first bytes of a stream, or all when there are fewer, and the stream from its beginning. */
export async function peek(
  source: PickleSource,
  bytes: number,
): Promise<{ readonly head: Uint8Array; readonly source: PickleSource }> {
  const head = (await more(source, new Uint8Array(0), bytes)).slice();
  return { head, source: replay(head, source) };
}

/** What was read, and more of the stream until that is as many bytes, if it has them. */
async function more(source: PickleSource, head: Uint8Array, bytes: number): Promise<Uint8Array> {
  let joined = head;
  while (joined.length < bytes) {
    const piece = await source.read();
    if (piece === undefined) break;
    const longer = new Uint8Array(joined.length + piece.length);
    longer.set(joined);
    longer.set(piece, joined.length);
    joined = longer;
  }
  return joined;
}

/** A stream from what was read of it already. */
function replay(head: Uint8Array, source: PickleSource): PickleSource {
  let rest = head;
  return {
    read() {
      if (rest.length === 0) return source.read();
      const piece = rest;
      rest = new Uint8Array(0);
      return Promise.resolve(piece);
    },
    async skip(bytes) {
      const skipped = Math.min(bytes, rest.length);
      rest = rest.subarray(skipped);
      return skipped === bytes ? bytes : skipped + await source.skip(bytes - skipped);
    },
    close: () => source.close(),
  };
}
