import { createZstdDecompress } from "node:zlib";
import { type CountedStream, countedStream } from "./counted_stream.ts";
import { isDataError, pieceBytesFor, zlibPieces } from "./zlib_pieces.ts";
import { isSkippedFrame, ZSTD_MAGIC } from "./format_signature.ts";

// Layout: RFC 8878, sections 3.1.1 (frames and blocks) and 3.1.2 (skippable frames).

/** The error for zstd data that cannot be decompressed. Its message completes "it cannot be decompressed: ". */
export class ZstdProblem extends Error {
  override name = "ZstdProblem";
  readonly kind: "damaged" | "limit" | "followed" | "unsupported";

  constructor(kind: ZstdProblem["kind"], message: string) {
    super(message);
    this.kind = kind;
  }
}

/** The limit of `zstd -d` without options. `--long=31` would need 2 GiB of memory. */
const WINDOW_BYTES_MAX = 128 * 1024 ** 2;

/** The format's limit. */
const BLOCK_BYTES_MAX = 128 * 1024;
const BLOCK_HEADER_BYTES = 3;

/** From this number on, frames and blocks may not be almost empty, because each costs some microseconds. */
const BLOCKS_FREE = 65_536;

/** The average content that is then required. Compressors fill their blocks of up to 128 KiB. */
const BLOCK_CONTENT_MIN = 256;

/** Counts over all frames. */
interface Totals {
  blocks: number;
  bytes: number;
}

/**
 * Yields decompressed zstd data. The runtime's decompressor does not report truncation, stops silently after the first
 * frame, and ends the process at damaged data that is not at the end of its input. So it gets one frame at a time,
 * block by block.
 *
 * @param frames whether several frames are read. After `one`, nothing may follow
 * @throws {ZstdProblem}
 */
export async function* zstdPieces(
  pieces: AsyncIterable<Uint8Array>,
  frames: "one" | "many",
): AsyncGenerator<Uint8Array> {
  await using stream = countedStream(pieces);
  const totals: Totals = { blocks: 0, bytes: 0 };
  for (let count = 0;; count++) {
    const start = await stream.bytes(4);
    if (start.length === 0 && count > 0) return;
    if (frames === "one" && count > 0) throw new ZstdProblem("followed", "bytes follow its frame");
    if (start.length < 4) throw truncated();
    const magic = viewOf(start).getUint32(0, true);
    countBlock(totals);
    if (isSkippedFrame(magic)) await skipFrame(stream);
    else if (magic === ZSTD_MAGIC) yield* frame(stream, start, totals);
    else throw new ZstdProblem("damaged", "other bytes follow its frames");
  }
}

async function* frame(stream: CountedStream, magic: Uint8Array, totals: Totals): AsyncGenerator<Uint8Array> {
  const { bytes, hasChecksum } = await readFrameHeader(stream, magic);
  const engine = createEngine();
  try {
    for await (const piece of zlibPieces(engine, frameParts(stream, bytes, hasChecksum, totals))) {
      totals.bytes += piece.length;
      yield piece;
    }
  } catch (error) {
    if (!isDataError(error)) throw error;
    throw new ZstdProblem("damaged", error.message);
  }
}

/** Yields the parts of a frame. After each part, the engine has consumed all of its input. */
async function* frameParts(
  stream: CountedStream,
  header: Uint8Array,
  hasChecksum: boolean,
  totals: Totals,
): AsyncGenerator<Uint8Array> {
  yield header;
  // The engine has consumed a block when the next one is requested.
  const buffer = new Uint8Array(BLOCK_HEADER_BYTES + BLOCK_BYTES_MAX);
  for (let isLast = false; !isLast;) {
    countBlock(totals);
    const start = buffer.subarray(0, BLOCK_HEADER_BYTES);
    await fill(stream, start);
    const fields = (start[0] ?? 0) | (start[1] ?? 0) << 8 | (start[2] ?? 0) << 16;
    isLast = (fields & 1) === 1;
    const size = fields >>> 3;
    if (size > BLOCK_BYTES_MAX) throw new ZstdProblem("damaged", `it has a block of ${size} bytes`);
    const block = buffer.subarray(0, BLOCK_HEADER_BYTES + (isRepeatedByte(fields) ? 1 : size));
    await fill(stream, block.subarray(BLOCK_HEADER_BYTES));
    yield block;
  }
  if (hasChecksum) yield await exactly(stream, 4);
}

/** Returns whether a block is one repeated byte, with its count as the size. */
function isRepeatedByte(fields: number): boolean {
  return (fields >>> 1 & 3) === 1;
}

async function readFrameHeader(
  stream: CountedStream,
  magic: Uint8Array,
): Promise<{ readonly bytes: Uint8Array; readonly hasChecksum: boolean }> {
  const descriptor = await exactly(stream, 1);
  const flags = descriptor[0] ?? 0;
  const isSingleSegment = (flags & 0x20) !== 0;
  const windowBytes = isSingleSegment ? 0 : 1;
  const dictionaryBytes = [0, 1, 2, 4][flags & 3] ?? 0;
  const sizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][flags >>> 6] ?? 0;
  const rest = await exactly(stream, windowBytes + dictionaryBytes + sizeBytes);
  if (rest.subarray(windowBytes, windowBytes + dictionaryBytes).some((byte) => byte !== 0)) {
    throw new ZstdProblem("unsupported", "it needs a dictionary");
  }
  const window = isSingleSegment
    ? contentSize(rest.subarray(rest.length - sizeBytes))
    : windowSize(rest[0] ?? 0);
  if (window > WINDOW_BYTES_MAX) {
    throw new ZstdProblem(
      "limit",
      `it needs ${window} bytes of memory, more than ${WINDOW_BYTES_MAX}: compress it without --long`,
    );
  }
  const bytes = new Uint8Array(magic.length + 1 + rest.length);
  bytes.set(magic);
  bytes.set(descriptor, magic.length);
  bytes.set(rest, magic.length + 1);
  return { bytes, hasChecksum: (flags & 4) !== 0 };
}

function windowSize(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >>> 3));
  return base + base / 8 * (descriptor & 7);
}

/** A field of two bytes counts from 256 (RFC 8878, section 3.1.1.1.4). */
function contentSize(field: Uint8Array): number {
  const value = field.reduceRight((sum, byte) => sum * 256 + byte, 0);
  return field.length === 2 ? value + 256 : value;
}

async function skipFrame(stream: CountedStream): Promise<void> {
  const bytes = viewOf(await exactly(stream, 4)).getUint32(0, true);
  if (await stream.skip(bytes) < bytes) throw truncated();
}

async function exactly(stream: CountedStream, count: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(count);
  await fill(stream, bytes);
  return bytes;
}

async function fill(stream: CountedStream, buffer: Uint8Array): Promise<void> {
  if (await stream.fill(buffer) < buffer.length) throw truncated();
}

function countBlock(totals: Totals): void {
  totals.blocks++;
  if (totals.blocks <= BLOCKS_FREE || totals.bytes >= totals.blocks * BLOCK_CONTENT_MIN) return;
  throw new ZstdProblem("limit", `its ${totals.blocks} blocks hold almost nothing`);
}

/** Before 2.9, Deno exports the function without an implementation. */
function createEngine(): ReturnType<typeof createZstdDecompress> {
  try {
    return createZstdDecompress({ chunkSize: pieceBytesFor(Infinity) });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new ZstdProblem("unsupported", `Deno ${Deno.version.deno} cannot decompress zstd, Deno 2.9 can`);
  }
}

function truncated(): ZstdProblem {
  return new ZstdProblem("damaged", "it was truncated");
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
