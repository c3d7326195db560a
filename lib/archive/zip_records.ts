import { viewOf } from "./zip_end.ts";

// Layouts: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12, 4.3.14 to 4.3.16 and 4.5.3.

/** An entry that was written. */
export interface WrittenEntry {
  readonly name: Uint8Array;
  readonly method: "stored" | "deflated";
  readonly crc: number;
  readonly bytes: number;
  readonly compressedBytes: number;
  readonly headerOffset: number;
  /** Whether its sizes are in a ZIP64 field. */
  readonly isLong: boolean;
}

const FULL_16 = 0xffff;
const FULL_32 = 0xffffffff;
const VERSION_DEFLATE = 20;
const VERSION_ZIP64 = 45;
const UNIX = 3 << 8;
const FLAG_UTF8 = 1 << 11;
/** The earliest date of the format: 1980-01-01 00:00:00. */
const DATE = (1 << 5) | 1;
/** A regular file, mode 0644. */
const ATTRIBUTES = 0o100644 * 0x10000;

/** Returns the header before an entry's contents. Its length does not depend on the sizes and the checksum. */
export function localHeader(entry: WrittenEntry): Uint8Array<ArrayBuffer> {
  const extra = zip64Field(entry.isLong ? [entry.bytes, entry.compressedBytes] : []);
  const header = new Uint8Array(30 + entry.name.length + extra.length);
  const view = viewOf(header);
  view.setUint32(0, 0x04034b50, true);
  setCommon(view, 4, entry, extra.length);
  header.set(entry.name, 30);
  header.set(extra, 30 + entry.name.length);
  return header;
}

/** Returns an entry's header in the central directory. */
export function centralHeader(entry: WrittenEntry): Uint8Array<ArrayBuffer> {
  const isFar = entry.headerOffset >= FULL_32;
  const extra = zip64Field([
    ...(entry.isLong ? [entry.bytes, entry.compressedBytes] : []),
    ...(isFar ? [entry.headerOffset] : []),
  ]);
  const header = new Uint8Array(46 + entry.name.length + extra.length);
  const view = viewOf(header);
  view.setUint32(0, 0x02014b50, true);
  view.setUint16(4, UNIX | VERSION_ZIP64, true);
  setCommon(view, 6, entry, extra.length);
  view.setUint32(38, ATTRIBUTES, true);
  view.setUint32(42, isFar ? FULL_32 : entry.headerOffset, true);
  header.set(entry.name, 46);
  header.set(extra, 46 + entry.name.length);
  return header;
}

/** Writes the 26 bytes that both headers share. */
function setCommon(view: DataView, at: number, entry: WrittenEntry, extraLength: number): void {
  view.setUint16(at, entry.isLong ? VERSION_ZIP64 : VERSION_DEFLATE, true);
  view.setUint16(at + 2, FLAG_UTF8, true);
  view.setUint16(at + 4, entry.method === "stored" ? 0 : 8, true);
  view.setUint16(at + 8, DATE, true);
  view.setUint32(at + 10, entry.crc, true);
  view.setUint32(at + 14, entry.isLong ? FULL_32 : entry.compressedBytes, true);
  view.setUint32(at + 18, entry.isLong ? FULL_32 : entry.bytes, true);
  view.setUint16(at + 22, entry.name.length, true);
  view.setUint16(at + 24, extraLength, true);
}

function zip64Field(values: readonly number[]): Uint8Array {
  if (values.length === 0) return new Uint8Array(0);
  const field = new Uint8Array(4 + values.length * 8);
  const view = viewOf(field);
  view.setUint16(0, 1, true);
  view.setUint16(2, values.length * 8, true);
  for (const [index, value] of values.entries()) view.setBigUint64(4 + index * 8, BigInt(value), true);
  return field;
}

/** Returns the records at the end of a ZIP, with those of ZIP64 only if the numbers need them. */
export function endRecords(
  directory: { readonly count: number; readonly offset: number; readonly bytes: number },
): Uint8Array<ArrayBuffer> {
  const { count, offset, bytes } = directory;
  const isLong = count >= FULL_16 || offset >= FULL_32 || bytes >= FULL_32;
  const records = new Uint8Array((isLong ? 76 : 0) + 22);
  const view = viewOf(records);
  if (isLong) setZip64End(view, directory);
  const at = isLong ? 76 : 0;
  view.setUint32(at, 0x06054b50, true);
  view.setUint16(at + 8, Math.min(count, FULL_16), true);
  view.setUint16(at + 10, Math.min(count, FULL_16), true);
  view.setUint32(at + 12, Math.min(bytes, FULL_32), true);
  view.setUint32(at + 16, Math.min(offset, FULL_32), true);
  return records;
}

/** Writes the ZIP64 end record and its locator. */
function setZip64End(
  view: DataView,
  { count, offset, bytes }: { readonly count: number; readonly offset: number; readonly bytes: number },
): void {
  view.setUint32(0, 0x06064b50, true);
  view.setBigUint64(4, 44n, true);
  view.setUint16(12, UNIX | VERSION_ZIP64, true);
  view.setUint16(14, VERSION_ZIP64, true);
  view.setBigUint64(24, BigInt(count), true);
  view.setBigUint64(32, BigInt(count), true);
  view.setBigUint64(40, BigInt(bytes), true);
  view.setBigUint64(48, BigInt(offset), true);
  view.setUint32(56, 0x07064b50, true);
  view.setBigUint64(64, BigInt(offset + bytes), true);
  view.setUint32(72, 1, true);
}
