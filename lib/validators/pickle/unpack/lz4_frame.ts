import { PickleProblem } from "../pickle_problem.ts";
import { PickleReader } from "../pickle_reader.ts";
import type { PickleSource } from "../pickle_source.ts";

// Source: lz4_Frame_format.md 1.6.4 and lz4_Block_format.md of the LZ4 project. Checksums are skipped: if one is wrong, the
// program that loads the file refuses it itself.

/** The first four bytes of a frame. */
export const LZ4_MAGIC = [0x04, 0x22, 0x4d, 0x18] as const;

/** The largest distance of a match. */
const WINDOW_BYTES = 64 * 1024;

/** The block size by three bits of the header: 64 KiB, 256 KiB, 1 MiB, 4 MiB. */
const BLOCK_BYTES: Readonly<Record<number, number>> = { 4: 1 << 16, 5: 1 << 18, 6: 1 << 20, 7: 1 << 22 };

const LEAST_MATCH = 4;

interface FrameHeader {
  readonly blockBytes: number;
  readonly hasBlockChecksum: boolean;
  readonly hasContentChecksum: boolean;
}

/**
 * Decompresses one LZ4 frame, block by block. A piece is valid until the next is requested.
 *
 * @throws {PickleProblem} if it is broken, or if bytes follow it
 */
export async function* decompressLz4(source: PickleSource): AsyncGenerator<Uint8Array> {
  const reader = new PickleReader(source);
  try {
    const header = await readHeader(reader);
    // The buffer holds the window that a block may refer to, then the block.
    const output = new Uint8Array(WINDOW_BYTES + header.blockBytes);
    let history = 0;
    while (true) {
      await need(reader, 4);
      const size = reader.uint32();
      if (size === 0) break;
      const isStored = size >= 0x80000000;
      const bytes = size % 0x80000000;
      if (bytes > header.blockBytes) throw broken(reader, "has a block larger than its header allows");
      await need(reader, bytes);
      const block = reader.take(bytes);
      if (isStored) output.set(block, history);
      const end = isStored
        ? history + bytes
        : decompressBlock(block, output.subarray(0, history + header.blockBytes), history);
      if (end === undefined) throw broken(reader, "has a block that cannot be decompressed");
      yield output.subarray(history, end);
      if (header.hasBlockChecksum) await pass(reader, 4);
      const kept = Math.min(end, WINDOW_BYTES);
      output.copyWithin(0, end - kept, end);
      history = kept;
    }
    if (header.hasContentChecksum) await pass(reader, 4);
    if (await reader.fill(1)) {
      throw new PickleProblem("refused", reader.position, "has bytes after its LZ4 frame");
    }
  } finally {
    await source.close();
  }
}

async function readHeader(reader: PickleReader): Promise<FrameHeader> {
  await need(reader, 7);
  reader.take(4);
  const flags = reader.uint8();
  const blockBytes = BLOCK_BYTES[(reader.uint8() >> 4) & 7];
  const version = flags >> 6;
  if (version !== 1 || blockBytes === undefined) {
    // LZ4 checks the header first, so nothing was loaded.
    throw new PickleProblem("broken", 0, "has an LZ4 frame with an unknown header");
  }
  const [contentSize, dictionary, checksum] = [(flags & 8) !== 0 ? 8 : 0, (flags & 1) !== 0 ? 4 : 0, 1];
  await pass(reader, contentSize + dictionary + checksum);
  return { blockBytes, hasBlockChecksum: (flags & 16) !== 0, hasContentChecksum: (flags & 4) !== 0 };
}

/**
 * Decompresses a block into `output` from `start` on, with the bytes before it as its history.
 *
 * @returns where it ends; `undefined` when it is broken or does not fit
 */
function decompressBlock(block: Uint8Array, output: Uint8Array, start: number): number | undefined {
  let from = 0;
  let to = start;
  while (from < block.length) {
    const token = block[from++] ?? 0;
    const literals = readLength(block, from, token >> 4);
    from = literals.next;
    if (from + literals.length > block.length || to + literals.length > output.length) return undefined;
    output.set(block.subarray(from, from + literals.length), to);
    from += literals.length;
    to += literals.length;
    // The last sequence consists of literals only.
    if (from === block.length) return to;
    if (from + 2 > block.length) return undefined;
    const distance = (block[from] ?? 0) | ((block[from + 1] ?? 0) << 8);
    const match = readLength(block, from + 2, token & 15);
    from = match.next;
    const length = match.length + LEAST_MATCH;
    if (distance === 0 || distance > to || to + length > output.length) return undefined;
    copyMatch(output, to, distance, length);
    to += length;
  }
  return undefined;
}

/** Reads a length: four bits, and if they are all set, bytes up to the first that is not 255. */
function readLength(
  block: Uint8Array,
  at: number,
  bits: number,
): { readonly length: number; readonly next: number } {
  if (bits < 15) return { length: bits, next: at };
  let length = bits;
  let next = at;
  let byte: number;
  do {
    byte = block[next++] ?? 0;
    length += byte;
  } while (byte === 255);
  return { length, next };
}

/** Copies a match. It may overlap its own output, which then repeats. */
function copyMatch(output: Uint8Array, to: number, distance: number, length: number): void {
  let copied = 0;
  while (copied < length) {
    const count = Math.min(length - copied, distance + copied);
    output.copyWithin(to + copied, to - distance, to - distance + count);
    copied += count;
  }
}

async function need(reader: PickleReader, bytes: number): Promise<void> {
  if (!await reader.fill(bytes)) throw broken(reader, "is cut off");
}

async function pass(reader: PickleReader, bytes: number): Promise<void> {
  if (!await reader.skip(bytes)) throw broken(reader, "is cut off");
}

function broken(reader: PickleReader, problem: string): PickleProblem {
  // The reference decoder accepts some errors, such as an offset of 0, and continues.
  return new PickleProblem("refused", reader.position, `has an LZ4 frame that ${problem}`);
}
