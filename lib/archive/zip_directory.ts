import type { ArchiveGuard, ArchiveSource } from "./archive_guard.ts";
import type { FileRange } from "./file_range.ts";
import { FileWindow } from "../core/read_at.ts";
import { type DirectoryPlace, viewOf } from "./zip_end.ts";
import { decodeName, readSizes, type ZipSizes } from "./zip_fields.ts";

// Layouts and signatures: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.9, 4.3.12 and 4.4.

const CENTRAL_SIGNATURE = 0x02014b50;
const CENTRAL_BYTES = 46;
const LOCAL_SIGNATURE = 0x04034b50;
const LOCAL_BYTES = 30;
const DESCRIPTOR_SIGNATURE = 0x08074b50;

const FLAG_ENCRYPTED = 1;
const FLAG_DESCRIPTOR = 1 << 3;
const FLAG_PATCH = 1 << 5;
const FLAG_STRONG_ENCRYPTION = 1 << 6;
const FLAG_MASKED = 1 << 13;

const STORED = 0;
const DEFLATED = 8;

const TYPE_MASK = 0o170000;
const TYPE_FILE = 0o100000;
const TYPE_FOLDER = 0o040000;
const UNSAFE_TYPES: Readonly<Record<number, string>> = {
  0o120000: "a symbolic link",
  0o020000: "a device",
  0o060000: "a device",
  0o010000: "a FIFO",
  0o140000: "a socket",
};

const HOST_DOS = 0;

/** The read size for the directory. Local headers use {@link LOCAL_WINDOW_BYTES}. */
const CENTRAL_WINDOW_BYTES = 256 * 1024;

/** A header has about 100 bytes, and small files and their headers are close together. */
const LOCAL_WINDOW_BYTES = 4096;

/** The longest descriptor after the contents of a streamed entry. */
const DESCRIPTOR_BYTES_MAX = 24;

/** An entry about which both of its headers agree. */
export interface ZipMember {
  readonly kind: "file" | "folder";
  /** Folders without the slash. */
  readonly path: string;
  readonly bytes: number;
  readonly compressedBytes: number;
  readonly crc: number;
  readonly method: "stored" | "deflated";
  readonly dataOffset: number;
}

/** An entry of the central directory. */
interface CentralHeader extends ZipSizes {
  readonly name: string;
  /** The path of the name: separated by `/`, without a leading dot or a trailing slash. */
  readonly path: string;
  /** Whether its separators are backslashes. */
  readonly hasBackslashes: boolean;
  /** bsdtar also writes the packed folder itself, as `./`. */
  readonly kind: "file" | "folder" | "packed folder";
  readonly rawName: Uint8Array;
  readonly flags: number;
  readonly methodNumber: number;
  readonly crc: number;
  readonly unixType: number;
}

/**
 * Returns the entries of a ZIP that every program reads in the same way: central and local headers agree, and headers
 * and contents fill the file without gaps and overlaps.
 */
export function readZipDirectory(source: ArchiveSource, place: DirectoryPlace): ZipMember[] {
  const { guard } = source;
  const headers = readCentralHeaders(source, place);
  guard.checkCollisions();
  guard.checkBytes(headers.reduce((sum, header) => sum + header.bytes, 0));
  const offsets = locateContents(source, headers, place.offset);
  return headers.flatMap((header) => {
    const { kind, path, bytes, compressedBytes, crc, methodNumber } = header;
    if (kind === "packed folder") return [];
    const method = methodNumber === STORED ? "stored" : "deflated";
    return [{ kind, path, bytes, compressedBytes, crc, method, dataOffset: offsets.get(header) ?? 0 }];
  });
}

/**
 * Returns the ranges of a ZIP that {@link readZipDirectory} reads outside the directory, in no order: around each local
 * header. The directory itself must be readable.
 */
export function localHeaderRanges(source: Omit<ArchiveSource, "signal">, place: DirectoryPlace): FileRange[] {
  const offsets = readCentralHeaders(source, place).map(({ headerOffset }) => headerOffset);
  return [...offsets, place.offset].map((offset) => {
    const start = Math.max(0, offset - DESCRIPTOR_BYTES_MAX);
    return { offset: start, bytes: offset + LOCAL_WINDOW_BYTES - start };
  });
}

function readCentralHeaders(
  { file, guard }: Omit<ArchiveSource, "signal">,
  place: DirectoryPlace,
): CentralHeader[] {
  const window = new FileWindow(file, CENTRAL_WINDOW_BYTES);
  const end = place.offset + place.bytes;
  const headers: CentralHeader[] = [];
  let at = place.offset;
  const take = (length: number) => {
    const bytes = at + length <= end ? window.bytes(at, length) : undefined;
    if (bytes === undefined) throw guard.fault("ARCHIVE_DAMAGED", "its directory ends inside an entry");
    return bytes;
  };
  while (at < end) {
    const fixed = viewOf(take(CENTRAL_BYTES));
    if (fixed.getUint32(0, true) !== CENTRAL_SIGNATURE) {
      throw guard.fault("ARCHIVE_DAMAGED", `its directory has no entry at byte ${at}`);
    }
    const lengths = [28, 30, 32].map((offset) => fixed.getUint16(offset, true));
    const total = lengths.reduce((sum, length) => sum + length, CENTRAL_BYTES);
    const header = parseCentral(take(total), guard);
    // Checked at once, so that long names are not kept in memory.
    checkHeader(header, guard);
    headers.push(header);
    // The end record may state fewer entries, and the guard does not count the packed folder.
    guard.checkEntryCount(headers.length);
    at += total;
  }
  refuseMixedSeparators(headers, guard);
  if (headers.length !== place.count) {
    throw guard.fault("ARCHIVE_UNSAFE", `it states ${place.count} entries, and has ${headers.length}`);
  }
  return headers;
}

function parseCentral(bytes: Uint8Array, guard: ArchiveGuard): CentralHeader {
  const view = viewOf(bytes);
  const nameEnd = CENTRAL_BYTES + view.getUint16(28, true);
  const rawName = bytes.slice(CENTRAL_BYTES, nameEnd);
  const extra = bytes.subarray(nameEnd, nameEnd + view.getUint16(30, true));
  const flags = view.getUint16(8, true);
  const name = decodeName(rawName, flags, extra, guard);
  const sizes = readSizes(name, extra, {
    bytes: view.getUint32(24, true),
    compressedBytes: view.getUint32(20, true),
    headerOffset: view.getUint32(42, true),
  }, guard);
  if (view.getUint16(34, true) !== 0) {
    throw guard.entryFault("ARCHIVE_UNSAFE", name, "lies in another archive");
  }
  // .NET states DOS as the system, and wrote backslashes before version 4.6.1.
  const hasBackslashes = view.getUint8(5) === HOST_DOS && name.includes("\\") && !name.includes("/");
  const separated = hasBackslashes ? name.replaceAll("\\", "/") : name;
  return {
    ...sizes,
    name,
    path: withoutSlash(separated.startsWith("./") ? separated.slice(2) : separated),
    kind: separated === "./" ? "packed folder" : separated.endsWith("/") ? "folder" : "file",
    hasBackslashes,
    rawName,
    flags,
    methodNumber: view.getUint16(10, true),
    crc: view.getUint32(16, true),
    // Checked whatever the stated system is, because the extracting program decides how it interprets the attributes.
    unixType: (view.getUint32(38, true) >>> 16) & TYPE_MASK,
  };
}

function withoutSlash(name: string): string {
  return name.endsWith("/") ? name.slice(0, -1) : name;
}

/**
 * Windows PowerShell 5.1 separates every name of an archive by backslashes. If one name has a slash, backslashes are
 * part of the names, and readers disagree about them.
 */
function refuseMixedSeparators(headers: readonly CentralHeader[], guard: ArchiveGuard): void {
  if (!headers.some(({ name }) => name.includes("/"))) return;
  const mixed = headers.find(({ hasBackslashes }) => hasBackslashes);
  if (mixed === undefined) return;
  throw guard.entryFault(
    "ARCHIVE_UNSAFE",
    mixed.name,
    "has the character \\, which Windows reserves, and other names are separated by /",
  );
}

/** Methods of APPNOTE 4.4.5 that common programs write. Windows Explorer uses Deflate64 from 2 GiB on. */
const METHOD_NAMES: Readonly<Record<number, string>> = {
  9: "Deflate64",
  12: "bzip2",
  14: "LZMA",
  93: "zstd",
  95: "xz",
};

/** Checks a single header. */
function checkHeader(header: CentralHeader, guard: ArchiveGuard): void {
  const { name, path, kind, flags, methodNumber, unixType } = header;
  const isFolder = kind !== "file";
  if (kind !== "packed folder") guard.addEntry(kind, path);
  const unsafe = (problem: string) => guard.entryFault("ARCHIVE_UNSAFE", name, problem);
  if ((flags & (FLAG_ENCRYPTED | FLAG_STRONG_ENCRYPTION | FLAG_MASKED)) !== 0) throw unsafe("is encrypted");
  if ((flags & FLAG_PATCH) !== 0) throw unsafe("is a patch of another file");
  if (methodNumber !== STORED && methodNumber !== DEFLATED) {
    const name = METHOD_NAMES[methodNumber];
    throw unsafe(
      `is compressed by method ${methodNumber}${
        name === undefined ? "" : ` (${name})`
      }; stored (0) and deflated (8) are read`,
    );
  }
  if (unixType !== 0 && unixType !== (isFolder ? TYPE_FOLDER : TYPE_FILE)) {
    const other = isFolder ? "a file that is named as a folder" : "a folder that is named as a file";
    throw unsafe(`is ${UNSAFE_TYPES[unixType] ?? other}`);
  }
  if (isFolder && header.bytes !== 0) throw unsafe("is a folder with contents");
  if (methodNumber === STORED && header.bytes !== header.compressedBytes) {
    throw unsafe(`is stored, with ${header.compressedBytes} bytes and with ${header.bytes}`);
  }
}

/** Checks that every local header agrees with its central one, and that headers and contents are adjacent. */
function locateContents(
  source: ArchiveSource,
  headers: readonly CentralHeader[],
  directoryOffset: number,
): Map<CentralHeader, number> {
  const { guard } = source;
  const window = new FileWindow(source.file, LOCAL_WINDOW_BYTES);
  const inFile = [...headers].sort((a, b) => a.headerOffset - b.headerOffset);
  const dataOffsets = new Map<CentralHeader, number>();
  const first = inFile[0]?.headerOffset ?? directoryOffset;
  if (first !== 0) throw guard.fault("ARCHIVE_UNSAFE", `${first} bytes precede its first entry`);
  for (const [index, header] of inFile.entries()) {
    const dataOffset = checkLocal(window, header, guard);
    const dataEnd = dataOffset + header.compressedBytes;
    const next = inFile[index + 1]?.headerOffset ?? directoryOffset;
    checkEnd(window, header, { from: dataEnd, to: next }, guard);
    dataOffsets.set(header, dataOffset);
  }
  return dataOffsets;
}

/** @returns the offset of the contents */
function checkLocal(window: FileWindow, header: CentralHeader, guard: ArchiveGuard): number {
  const { name, headerOffset } = header;
  const damaged = () => guard.entryFault("ARCHIVE_DAMAGED", name, `has no header at byte ${headerOffset}`);
  const fixed = window.bytes(headerOffset, LOCAL_BYTES);
  if (fixed === undefined || viewOf(fixed).getUint32(0, true) !== LOCAL_SIGNATURE) throw damaged();
  const lengths = [viewOf(fixed).getUint16(26, true), viewOf(fixed).getUint16(28, true)] as const;
  const total = LOCAL_BYTES + lengths[0] + lengths[1];
  const bytes = window.bytes(headerOffset, total);
  if (bytes === undefined) throw damaged();
  const view = viewOf(bytes);
  const rawName = bytes.subarray(LOCAL_BYTES, LOCAL_BYTES + lengths[0]);
  const extra = bytes.subarray(LOCAL_BYTES + lengths[0]);
  const disagree = (what: string) =>
    guard.entryFault("ARCHIVE_UNSAFE", name, `has two headers that disagree about its ${what}`);
  const hasName = rawName.length === header.rawName.length &&
    rawName.every((byte, index) => byte === header.rawName[index]);
  if (!hasName) throw disagree("name");
  if (view.getUint16(6, true) !== header.flags) throw disagree("flags");
  if (decodeName(rawName, header.flags, extra, guard) !== name) throw disagree("name");
  if (view.getUint16(8, true) !== header.methodNumber) throw disagree("method");
  const local = readSizes(name, extra, {
    bytes: view.getUint32(22, true),
    compressedBytes: view.getUint32(18, true),
    headerOffset: 0,
  }, guard);
  // A streamed entry's sizes and checksum follow its contents, and may be missing here.
  const mayBeUnknown = (header.flags & FLAG_DESCRIPTOR) !== 0;
  const agrees = (value: number, central: number) => value === central || (mayBeUnknown && value === 0);
  if (!agrees(local.bytes, header.bytes)) throw disagree("size");
  if (!agrees(local.compressedBytes, header.compressedBytes)) throw disagree("compressed size");
  if (!agrees(view.getUint32(14, true), header.crc)) throw disagree("checksum");
  return headerOffset + total;
}

/** Checks that nothing follows an entry's contents, except the descriptor of a streamed entry. */
function checkEnd(
  window: FileWindow,
  header: CentralHeader,
  gap: { readonly from: number; readonly to: number },
  guard: ArchiveGuard,
): void {
  const length = gap.to - gap.from;
  if (length < 0) throw guard.entryFault("ARCHIVE_UNSAFE", header.name, "overlaps what follows it");
  if ((header.flags & FLAG_DESCRIPTOR) === 0) {
    if (length === 0) return;
    throw guard.entryFault(
      "ARCHIVE_UNSAFE",
      header.name,
      `is followed by ${length} bytes that belong to no entry`,
    );
  }
  const bytes = DESCRIPTOR_LENGTHS.includes(length) ? window.bytes(gap.from, length) : undefined;
  if (bytes === undefined || !isDescriptor(viewOf(bytes), header)) {
    throw guard.entryFault("ARCHIVE_UNSAFE", header.name, "has a descriptor that contradicts its headers");
  }
}

/** With or without a signature, and with sizes of 32 or 64 bits: writers use all four. */
const DESCRIPTOR_LENGTHS = [12, 16, 20, 24];

function isDescriptor(view: DataView, header: CentralHeader): boolean {
  const isLong = view.byteLength >= 20;
  const hasSignature = view.byteLength % 8 === 0;
  if (hasSignature && view.getUint32(0, true) !== DESCRIPTOR_SIGNATURE) return false;
  const at = hasSignature ? 4 : 0;
  const sizes = isLong
    ? [Number(view.getBigUint64(at + 4, true)), Number(view.getBigUint64(at + 12, true))]
    : [view.getUint32(at + 4, true), view.getUint32(at + 8, true)];
  return view.getUint32(at, true) === header.crc && sizes[0] === header.compressedBytes &&
    sizes[1] === header.bytes;
}
