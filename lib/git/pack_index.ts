import type { ObjectFormat, ObjectId } from "./object_id.ts";

/** An object in a pack. */
export interface PackedObject {
  readonly id: ObjectId;
  /** Where its entry begins in the pack. */
  readonly offset: number;
  /** The CRC-32 of its entry. */
  readonly crc: number;
}

const SIGNATURE = 0xff74_4f63;
const VERSION = 2;
const HEADER_BYTES = 8;
const FAN_OUT_BYTES = 256 * 4;
/** Larger offsets are in a table of 64-bit numbers; the highest bit of the short one marks its row. */
const SHORT_OFFSETS = 2 ** 31;

/** Returns the index of a pack, version 2 as gitformat-pack(5) describes it, without its own checksum at the end. */
export function encodePackIndex(
  format: ObjectFormat,
  objects: readonly PackedObject[],
  packChecksum: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const sorted = objects.toSorted((a, b) => a.id < b.id ? -1 : 1);
  const idBytes = format === "sha1" ? 20 : 32;
  const long = sorted.filter(({ offset }) => offset >= SHORT_OFFSETS);
  const idsAt = HEADER_BYTES + FAN_OUT_BYTES;
  const crcsAt = idsAt + sorted.length * idBytes;
  const offsetsAt = crcsAt + sorted.length * 4;
  const longAt = offsetsAt + sorted.length * 4;
  const bytes = new Uint8Array(longAt + long.length * 8 + packChecksum.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, SIGNATURE);
  view.setUint32(4, VERSION);
  const counts = new Uint32Array(256);
  let longRow = 0;
  for (const [row, { id, offset, crc }] of sorted.entries()) {
    bytes.set(Uint8Array.fromHex(id), idsAt + row * idBytes);
    const first = bytes[idsAt + row * idBytes] ?? 0;
    counts[first] = (counts[first] ?? 0) + 1;
    view.setUint32(crcsAt + row * 4, crc);
    if (offset < SHORT_OFFSETS) view.setUint32(offsetsAt + row * 4, offset);
    else {
      view.setUint32(offsetsAt + row * 4, SHORT_OFFSETS + longRow);
      view.setBigUint64(longAt + longRow * 8, BigInt(offset));
      longRow++;
    }
  }
  let total = 0;
  for (const [first, count] of counts.entries()) view.setUint32(HEADER_BYTES + first * 4, total += count);
  bytes.set(packChecksum, bytes.length - packChecksum.length);
  return bytes;
}

/** Returns the names of the objects in an index of version 2; none for any other file, and for one that is too short. */
export function packedIds(format: ObjectFormat, index: Uint8Array<ArrayBuffer>): ObjectId[] {
  const view = new DataView(index.buffer, index.byteOffset, index.byteLength);
  if (index.length < HEADER_BYTES + FAN_OUT_BYTES || view.getUint32(0) !== SIGNATURE) return [];
  const idBytes = format === "sha1" ? 20 : 32;
  const idsAt = HEADER_BYTES + FAN_OUT_BYTES;
  // The last entry of the fan-out is the number of objects. In a damaged index, it can be any number.
  const count = view.getUint32(idsAt - 4);
  if (idsAt + count * idBytes > index.length) return [];
  return Array.from(
    { length: count },
    (_, row) => index.subarray(idsAt + row * idBytes, idsAt + (row + 1) * idBytes).toHex(),
  );
}
