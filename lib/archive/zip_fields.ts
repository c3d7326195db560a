import { crc32 } from "node:zlib";
import type { ArchiveGuard } from "./archive_guard.ts";
import { decodeUtf8 } from "../core/decode_utf8.ts";
import { viewOf } from "./zip_end.ts";

// Extra fields: PKWARE's APPNOTE.TXT 6.3.10, sections 4.5.3 (ZIP64) and 4.6.9 (Info-ZIP Unicode Path).

const ZIP64_ID = 0x0001;
const UNICODE_PATH_ID = 0x7075;
const FLAG_UTF8 = 1 << 11;
const FULL_32 = 0xffffffff;

/** An entry's sizes and offset in a header. */
export interface ZipSizes {
  readonly bytes: number;
  readonly compressedBytes: number;
  readonly headerOffset: number;
}

/** Returns the sizes, with the 64-bit values of the ZIP64 field where the header refers to it. */
export function readSizes(
  name: string,
  extra: Uint8Array,
  short: ZipSizes,
  guard: ArchiveGuard,
): ZipSizes {
  const field = findExtra(name, extra, ZIP64_ID, guard);
  const full = (["bytes", "compressedBytes", "headerOffset"] as const).filter((key) =>
    short[key] === FULL_32
  );
  if (field !== undefined && full.length === 0 && isRepetition(field, short)) return short;
  // Only some programs would read a surplus value.
  if ((field?.length ?? 0) !== full.length * 8) {
    throw guard.entryFault("ARCHIVE_UNSAFE", name, "has ZIP64 sizes that do not fit its header");
  }
  if (field === undefined) return short;
  const values = full.map((key, index) =>
    [key, Number(viewOf(field).getBigUint64(index * 8, true))] as const
  );
  if (values.some(([, value]) => !Number.isSafeInteger(value))) {
    throw guard.entryFault("ARCHIVE_UNSAFE", name, "has a stated size larger than any file");
  }
  return { ...short, ...Object.fromEntries(values) };
}

/**
 * Python before 3.11.4, and NumPy with it, repeats both sizes of a local header in the ZIP64 field. Equal values have
 * one meaning in every program.
 */
function isRepetition(field: Uint8Array, { bytes, compressedBytes }: ZipSizes): boolean {
  const view = viewOf(field);
  return field.length === 16 && view.getBigUint64(0, true) === BigInt(bytes) &&
    view.getBigUint64(8, true) === BigInt(compressedBytes);
}

/**
 * Returns an entry's name. Without the UTF-8 flag it may have any encoding. Valid UTF-8 is accepted, because programs
 * on Linux and macOS write it without the flag. Any other encoding needs the Unicode path field.
 */
export function decodeName(raw: Uint8Array, flags: number, extra: Uint8Array, guard: ArchiveGuard): string {
  const name = decodeUtf8(raw);
  const shown = name ?? new TextDecoder("latin1").decode(raw);
  const field = findExtra(shown, extra, UNICODE_PATH_ID, guard);
  const isCurrent = field !== undefined && field.length >= 5 && field[0] === 1 &&
    viewOf(field).getUint32(1, true) === crc32(raw);
  const other = isCurrent ? decodeUtf8(field.subarray(5)) : undefined;
  const isClear = field === undefined || (other !== undefined && (name === undefined || name === other));
  if (!isClear) throw guard.entryFault("ARCHIVE_UNSAFE", shown, "has two names");
  const decoded = (flags & FLAG_UTF8) === 0 ? name ?? other : name;
  if (decoded === undefined) throw guard.entryFault("ARCHIVE_UNSAFE", shown, "has a name that is not UTF-8");
  return decoded;
}

function findExtra(
  name: string,
  extra: Uint8Array,
  id: number,
  guard: ArchiveGuard,
): Uint8Array | undefined {
  const view = viewOf(extra);
  let found: Uint8Array | undefined;
  let at = 0;
  while (at < extra.length) {
    const length = at + 4 <= extra.length ? view.getUint16(at + 2, true) : Infinity;
    if (at + 4 + length > extra.length) {
      throw guard.entryFault("ARCHIVE_DAMAGED", name, "has extra fields that exceed their space");
    }
    if (view.getUint16(at, true) === id) {
      if (found !== undefined) {
        throw guard.entryFault("ARCHIVE_UNSAFE", name, "has an extra field twice");
      }
      found = extra.subarray(at + 4, at + 4 + length);
    }
    at += 4 + length;
  }
  return found;
}
