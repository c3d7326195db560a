import type { PickleSource } from "./pickle_reader.ts";

// A `.npy` file: magic, version (2 bytes), length of the header (2 bytes, from version 2 on 4, little-endian), the header
// (a Python dictionary), the elements: a pickle when they are objects. Source: numpy/lib/format.py.

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];

/** Up to where the header's length stands. */
const START_BYTES = 12;

/** numpy warns of headers beyond 10,000 bytes; one beyond this holds no dtype that a model needs. */
const HEADER_BYTES_MAX = 1024 * 1024;

/** As numpy writes the header of elements that are numbers, texts or times. Whatever else may hold objects. */
const PLAIN =
  /^\{'descr': '[<>|=]?[?bBhHiIlLqQefdgFDGuUSVMmca]\d{0,9}(\[[^'\\]{1,20}\])?', 'fortran_order': (True|False), 'shape': \([\dL, ]*\), \} *\n?$/;

/**
 * What of a stream has to be looked at for pickles: of a `.npy` file what follows its header, and nothing when it says
 * that its elements are no objects; of anything else all of it.
 */
export async function passNpyHeader(source: PickleSource): Promise<PickleSource> {
  let head = await more(source, new Uint8Array(0), START_BYTES);
  if (!MAGIC.every((byte, index) => head[index] === byte) || head.length < START_BYTES) {
    return replay(head, source);
  }
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  const isShort = view.getUint8(6) === 1;
  const from = isShort ? 10 : START_BYTES;
  const end = from + (isShort ? view.getUint16(8, true) : view.getUint32(8, true));
  // Where that is no header, the elements are looked for at once.
  if (end > HEADER_BYTES_MAX) return replay(head.subarray(from), source);
  head = await more(source, head, end);
  const header = new TextDecoder("latin1").decode(head.subarray(from, end));
  if (PLAIN.test(header)) return { ...source, read: () => Promise.resolve(undefined) };
  return replay(head.subarray(end), source);
}

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
