import { crc32, deflateRawSync } from "node:zlib";

/** The fields of a header; the defaults are the true values. */
interface RawHeader {
  readonly name: string | Uint8Array;
  readonly flags: number;
  readonly method: number;
  readonly crc: number;
  readonly bytes: number;
  readonly compressedBytes: number;
  readonly extra: Uint8Array;
  /** The stated length of the extra fields. */
  readonly extraBytes?: number;
  readonly signature?: number;
  /** The stated length of a comment, which is not there. Like the next four, only in the central header. */
  readonly commentBytes?: number;
  /** The Unix mode. */
  readonly mode: number;
  /** The system that made the entry: 0 DOS, 3 Unix (default). */
  readonly host: number;
  readonly offset: number;
  readonly disk: number;
}

export interface RawEntry {
  readonly name: string | Uint8Array;
  readonly content?: string | Uint8Array;
  /** The bytes in the archive, if they differ from the stored or deflated content. */
  readonly data?: Uint8Array;
  /** 0 stored (default), 8 deflated. */
  readonly method?: number;
  /** Fields of both headers, of the central one only, and of the local one only. */
  readonly both?: Partial<RawHeader>;
  readonly central?: Partial<RawHeader>;
  readonly local?: Partial<RawHeader>;
  /** The bytes behind the contents. */
  readonly behind?: Uint8Array;
  /** Omits the local header and the contents, for entries that point to those of another entry. */
  readonly isCentralOnly?: boolean;
  /** Omits the central header. */
  readonly isLocalOnly?: boolean;
}

/** The fields of the end record. */
interface RawEnd {
  readonly disk: number;
  readonly countHere: number;
  readonly count: number;
  readonly bytes: number;
  readonly offset: number;
}

export interface RawZip {
  readonly prefix?: Uint8Array;
  readonly beforeDirectory?: Uint8Array;
  readonly end?: Partial<RawEnd>;
  readonly comment?: Uint8Array;
  readonly commentLength?: number;
  readonly suffix?: Uint8Array;
  /** Also writes the ZIP64 records, with these fields instead of the true ones. */
  readonly zip64?: Partial<RawEnd> & { readonly recordBytes?: number; readonly recordOffset?: number };
}

export const FLAG = { encrypted: 1, descriptor: 8, patch: 32, strong: 64, utf8: 2048, masked: 8192 } as const;

const encoder = new TextEncoder();

/** Builds a ZIP in which every field can be forged. */
export function rawZip(entries: readonly RawEntry[], zip: RawZip = {}): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [zip.prefix ?? new Uint8Array(0)];
  const size = () => parts.reduce((sum, part) => sum + part.length, 0);
  const central: Uint8Array[] = [];
  for (const entry of entries) {
    const content = typeof entry.content === "string" ? encoder.encode(entry.content) : entry.content;
    const plain = content ?? new Uint8Array(0);
    const method = entry.method ?? 0;
    const data = entry.data ?? (method === 8 ? deflateRawSync(plain) : plain);
    const truth: RawHeader = {
      name: entry.name,
      flags: FLAG.utf8,
      method,
      crc: crc32(plain),
      bytes: plain.length,
      compressedBytes: data.length,
      extra: new Uint8Array(0),
      mode: 0o100644,
      host: 3,
      offset: size(),
      disk: 0,
      ...entry.both,
    };
    if (!entry.isLocalOnly) central.push(centralHeader({ ...truth, ...entry.central }));
    if (entry.isCentralOnly) continue;
    parts.push(localHeader({ ...truth, ...entry.local }), data, entry.behind ?? new Uint8Array(0));
  }
  parts.push(zip.beforeDirectory ?? new Uint8Array(0));
  const directory = {
    offset: size(),
    bytes: central.reduce((sum, part) => sum + part.length, 0),
    count: central.length,
    countHere: central.length,
    disk: 0,
  };
  parts.push(...central);
  if (zip.zip64 !== undefined) parts.push(zip64End({ ...directory, ...zip.zip64 }, zip.zip64, size()));
  const comment = zip.comment ?? new Uint8Array(0);
  parts.push(endRecord({ ...directory, ...zip.end }, zip.commentLength ?? comment.length), comment);
  parts.push(zip.suffix ?? new Uint8Array(0));
  return joined(parts);
}

/** An extra field. */
export function extraField(id: number, data: Uint8Array): Uint8Array {
  return joined([little(id, 2), little(data.length, 2), data]);
}

/** A ZIP64 extra field of these values. */
export function zip64Field(...values: readonly number[]): Uint8Array {
  return extraField(1, joined(values.map((value) => little(value, 8))));
}

/** Info-ZIP's Unicode name for an entry with the name `raw`. */
export function unicodePathField(raw: Uint8Array, name: string): Uint8Array {
  return extraField(0x7075, joined([little(1, 1), little(crc32(raw), 4), encoder.encode(name)]));
}

/** The data descriptor behind the contents of a streamed entry. */
export function descriptor(
  fields: { readonly crc: number; readonly compressedBytes: number; readonly bytes: number },
  shape: { readonly hasSignature?: boolean; readonly isLong?: boolean } = {},
): Uint8Array {
  const width = shape.isLong ? 8 : 4;
  return joined([
    shape.hasSignature === false ? new Uint8Array(0) : little(0x08074b50, 4),
    little(fields.crc, 4),
    little(fields.compressedBytes, width),
    little(fields.bytes, width),
  ]);
}

/** An end record alone. */
export function endRecord(end: RawEnd, commentLength: number): Uint8Array {
  return joined([
    little(0x06054b50, 4),
    little(end.disk, 2),
    little(end.disk, 2),
    little(end.countHere, 2),
    little(end.count, 2),
    little(end.bytes, 4),
    little(end.offset, 4),
    little(commentLength, 2),
  ]);
}

function zip64End(
  end: RawEnd,
  { recordBytes = 44, recordOffset }: { readonly recordBytes?: number; readonly recordOffset?: number },
  at: number,
): Uint8Array {
  return joined([
    little(0x06064b50, 4),
    little(recordBytes, 8),
    little(45, 2),
    little(45, 2),
    little(end.disk, 4),
    little(end.disk, 4),
    little(end.countHere, 8),
    little(end.count, 8),
    little(end.bytes, 8),
    little(end.offset, 8),
    little(0x07064b50, 4),
    little(0, 4),
    little(recordOffset ?? at, 8),
    little(1, 4),
  ]);
}

function localHeader(header: RawHeader): Uint8Array {
  const name = nameBytes(header.name);
  return joined([little(header.signature ?? 0x04034b50, 4), common(header, name), name, header.extra]);
}

function centralHeader(header: RawHeader): Uint8Array {
  const name = nameBytes(header.name);
  return joined([
    little(header.signature ?? 0x02014b50, 4),
    little((header.host << 8) | 45, 2),
    common(header, name),
    little(header.commentBytes ?? 0, 2),
    little(header.disk, 2),
    little(0, 2),
    little(header.mode * 0x10000, 4),
    little(header.offset, 4),
    name,
    header.extra,
  ]);
}

function common(header: RawHeader, name: Uint8Array): Uint8Array {
  return joined([
    little(45, 2),
    little(header.flags, 2),
    little(header.method, 2),
    little(0, 2),
    little(33, 2),
    little(header.crc, 4),
    little(header.compressedBytes, 4),
    little(header.bytes, 4),
    little(name.length, 2),
    little(header.extraBytes ?? header.extra.length, 2),
  ]);
}

function nameBytes(name: string | Uint8Array): Uint8Array {
  return typeof name === "string" ? encoder.encode(name) : name;
}

function little(value: number, width: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
  return bytes.subarray(0, width);
}

export function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
