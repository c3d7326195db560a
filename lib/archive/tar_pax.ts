import type { ArchiveGuard } from "./archive_guard.ts";
import { decodeUtf8 } from "../core/decode_utf8.ts";

// Layout: POSIX.1-2017, pax, "pax Extended Header"; GNU tar manual, "PAX Format, Version 1.0" (of sparse files).

/** The fields of the next entry that a pax header may change. */
export interface PaxRecords {
  readonly path: string | undefined;
  readonly bytes: number | undefined;
  /** The target of a link. */
  readonly linkPath: string | undefined;
  /** The real name and size of a sparse file whose map is stored before its contents. */
  readonly sparse: { readonly name: string; readonly bytes: number } | undefined;
}

export const NO_RECORDS: PaxRecords = {
  path: undefined,
  bytes: undefined,
  linkPath: undefined,
  sparse: undefined,
};

/**
 * Returns the records of a pax header: `<length> <key>=<value>` and a line feed, where the length counts the whole
 * record. Records that change neither name nor contents (times, owners, extended attributes) are ignored and may be
 * binary.
 *
 * @throws {RefusedError} code `ARCHIVE_DAMAGED` or `ARCHIVE_UNSAFE`
 */
export function parsePaxRecords(content: Uint8Array, guard: ArchiveGuard): PaxRecords {
  const records = takeRecords(content, guard);
  const text = (key: string) => {
    const value = records.get(key);
    const decoded = value === undefined ? undefined : decodeUtf8(value);
    if (value !== undefined && decoded === undefined) {
      throw guard.fault("ARCHIVE_UNSAFE", `it has a pax header whose ${key} is not UTF-8`);
    }
    return decoded;
  };
  if (!CHARSETS.includes(text("hdrcharset") ?? UTF8_CHARSET)) {
    throw guard.fault("ARCHIVE_UNSAFE", "it has names that are not UTF-8");
  }
  return {
    path: text("path"),
    bytes: parseSize(text("size"), guard),
    linkPath: text("linkpath"),
    sparse: parseSparse([...records.keys()].filter((key) => key.startsWith(SPARSE_PREFIX)), text, guard),
  };
}

const UTF8_CHARSET = "ISO-IR 10646 2000 UTF-8";

/**
 * `BINARY`: the names are the bytes of the file system, which bsdtar writes without a locale. They have to be UTF-8,
 * too.
 */
const CHARSETS = [UTF8_CHARSET, "BINARY"];

const SPARSE_PREFIX = "GNU.sparse.";

/** The records of version 1.0, which bsdtar and GNU tar write. */
const SPARSE_KEYS = ["major", "minor", "name", "realsize"].map((key) => SPARSE_PREFIX + key);

/** Version 0.0 repeats these for each part of a file. {@link parseSparse} refuses it. */
const REPEATED_SPARSE = ["offset", "numbytes"].map((key) => SPARSE_PREFIX + key);

function parseSparse(
  keys: readonly string[],
  text: (key: string) => string | undefined,
  guard: ArchiveGuard,
): PaxRecords["sparse"] {
  if (keys.length === 0) return undefined;
  const [major, minor, name, size] = SPARSE_KEYS.map(text);
  const bytes = parseSize(size, guard);
  const isKnown = major === "1" && minor === "0" && keys.length === SPARSE_KEYS.length;
  if (isKnown && name !== undefined && bytes !== undefined) return { name, bytes };
  // Older versions store their map in the header, where readers disagree about it.
  throw guard.fault(
    "ARCHIVE_UNSAFE",
    "it has a sparse file that is not of version 1.0 (GNU tar: --sparse-version=1.0)",
  );
}

function parseSize(size: string | undefined, guard: ArchiveGuard): number | undefined {
  if (size === undefined) return undefined;
  const bytes = /^(0|[1-9]\d{0,15})$/.test(size) ? Number(size) : NaN;
  if (Number.isSafeInteger(bytes)) return bytes;
  throw guard.fault("ARCHIVE_UNSAFE", "it has a pax header with a size that is not a number");
}

function takeRecords(content: Uint8Array, guard: ArchiveGuard): Map<string, Uint8Array> {
  const records = new Map<string, Uint8Array>();
  for (let rest = content; rest.length > 0;) {
    const record = takeRecord(rest);
    if (record === undefined) throw guard.fault("ARCHIVE_DAMAGED", "it has a pax header that cannot be read");
    const { key, value, length } = record;
    if (records.has(key) && !REPEATED_SPARSE.includes(key)) {
      throw guard.fault("ARCHIVE_UNSAFE", `it has a pax header with ${key} twice`);
    }
    records.set(key, value);
    rest = rest.subarray(length);
  }
  return records;
}

/** The digits of a record's length. No header has a gigabyte. */
const LENGTH_DIGITS_MAX = 9;

const EQUALS = 0x3d;

function takeRecord(
  rest: Uint8Array,
): { readonly key: string; readonly value: Uint8Array; readonly length: number } | undefined {
  const space = rest.subarray(0, LENGTH_DIGITS_MAX + 1).indexOf(0x20);
  const digits = LATIN1.decode(rest.subarray(0, Math.max(space, 0)));
  if (!/^[1-9]\d*$/.test(digits)) return undefined;
  const length = Number(digits);
  if (length > rest.length || rest[length - 1] !== 0x0a) return undefined;
  const record = rest.subarray(space + 1, length - 1);
  const equals = record.indexOf(EQUALS);
  if (equals < 1) return undefined;
  return { key: LATIN1.decode(record.subarray(0, equals)), value: record.subarray(equals + 1), length };
}

/** Keys are ASCII. Only the names of extended attributes may be any bytes. */
const LATIN1 = new TextDecoder("latin1");
