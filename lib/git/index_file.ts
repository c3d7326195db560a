/** A file's entry in a git index. */
export interface IndexEntry {
  readonly path: string;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  readonly device: number;
  readonly inode: number;
  readonly isExecutable: boolean;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Git's name for its content, 40 hexadecimal digits. */
  readonly object: string;
}

const SIGNATURE = 0x4449_5243; // "DIRC"
const VERSION = 2;
const HEADER_BYTES = 12;
const FIXED_BYTES = 62;
const ALIGNMENT = 8;
const NAME_LENGTH_MAX = 0xfff;
const REGULAR_FILE = 0o100644;
const EXECUTABLE_FILE = 0o100755;
/** The SHA-1 checksum at the end of an index. */
export const INDEX_CHECKSUM_BYTES = 20;
/** Git treats an empty file with any other name as changed. */
const EMPTY_OBJECT = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";

/**
 * Returns a git index of these files, version 2 as gitformat-index(5) describes it.
 *
 * @param entries in the order of their paths' bytes
 */
export async function encodeIndex(
  entries: readonly IndexEntry[],
): Promise<{ readonly bytes: Uint8Array; readonly checksum: string }> {
  const encoder = new TextEncoder();
  const paths = entries.map((entry) => encoder.encode(entry.path));
  const length = paths.reduce((sum, path) => sum + entryBytes(path), HEADER_BYTES);
  const bytes = new Uint8Array(length + INDEX_CHECKSUM_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, SIGNATURE);
  view.setUint32(4, VERSION);
  view.setUint32(8, entries.length);
  let offset = HEADER_BYTES;
  for (const [row, entry] of entries.entries()) {
    const path = paths[row] ?? new Uint8Array();
    for (const [column, number] of numbersOf(entry).entries()) view.setUint32(offset + column * 4, number);
    bytes.set(Uint8Array.fromHex(entry.size === 0 ? EMPTY_OBJECT : entry.object), offset + 40);
    view.setUint16(offset + 60, Math.min(path.length, NAME_LENGTH_MAX));
    bytes.set(path, offset + FIXED_BYTES);
    offset += entryBytes(path);
  }
  const checksum = new Uint8Array(await crypto.subtle.digest("SHA-1", bytes.subarray(0, length)));
  bytes.set(checksum, length);
  return { bytes, checksum: checksum.toHex() };
}

/** 64-bit numbers keep their lower 32 bits, as in git. */
function numbersOf(entry: IndexEntry): number[] {
  const { mtimeMs, ctimeMs, device, inode, isExecutable, uid, gid, size } = entry;
  return [
    ...secondsAndNanoseconds(ctimeMs),
    ...secondsAndNanoseconds(mtimeMs),
    device,
    inode,
    isExecutable ? EXECUTABLE_FILE : REGULAR_FILE,
    uid,
    gid,
    size,
  ];
}

function secondsAndNanoseconds(timeMs: number): [number, number] {
  const seconds = Math.floor(timeMs / 1000);
  return [seconds, Math.round((timeMs - seconds * 1000) * 1e6)];
}

/** One to eight NUL bytes end a path and pad its entry. */
function entryBytes(path: Uint8Array): number {
  return Math.ceil((FIXED_BYTES + path.length + 1) / ALIGNMENT) * ALIGNMENT;
}
