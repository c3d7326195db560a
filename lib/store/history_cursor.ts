import * as z from "zod";
import { type FileSystem, findFile, ifFound, UnusableFileError } from "../core/files.ts";
import { readAt } from "../core/read_at.ts";
import { historyFiles, LINE_BYTES_MAX, lockHistory, parseRecord, type RunRecord } from "./history.ts";
import type { Store } from "./store.ts";

/** The last line that a reader of the history has read: its place in the file, and its run. */
export const HistoryCursor = z.object({
  /** The byte offsets of the line's start and end in its file. */
  start: z.number().int().min(0),
  end: z.number().int().min(0),
  runId: z.string(),
});
export type HistoryCursor = Readonly<z.infer<typeof HistoryCursor>>;

/** A record, and the cursor after it. */
export interface HistoryEntry {
  readonly record: RunRecord;
  readonly cursor: HistoryCursor;
}

export interface HistoryBatch {
  /** `false`: the cursor points at no line, because the history was lost or the cursor is damaged. */
  readonly found: boolean;
  /** Oldest first. */
  readonly entries: readonly HistoryEntry[];
  /** Whether the history ends after the entries. */
  readonly atEnd: boolean;
}

/** Holds the last record, unless that is unusually long. */
const TAIL_BYTES = 32 * 1024;

/** The bytes that are read at a time, plus the rest of a line that begins in them. */
const READ_BYTES = 256 * 1024;

/**
 * Returns the records after a cursor, oldest first, also from files that a rotation has renamed. Needs read permission.
 *
 * @param cursor `undefined`: start with the oldest record
 * @param countMax the most records to return; fewer do not mean that the history ends
 */
export function readAfter(store: Store, cursor: HistoryCursor | undefined, countMax: number): HistoryBatch {
  using _lock = lockHistory(store, "to read");
  const files = historyFiles(store).filter((path) => sizeOf(store.fs, path) > 0);
  const index = cursor === undefined
    ? files.length - 1
    : files.findIndex((path) => holds(store, path, cursor));
  if (cursor !== undefined && index === -1) return { found: false, entries: [], atEnd: true };
  const entries: HistoryEntry[] = [];
  let offset = cursor?.end ?? 0;
  for (const path of files.slice(0, index + 1).reverse()) {
    const wanted = countMax - entries.length;
    entries.push(...readEntries(store.fs, path, offset, wanted));
    if (entries.length === countMax) return { found: true, entries, atEnd: false };
    offset = 0;
  }
  return { found: true, entries, atEnd: true };
}

/** Returns the cursor after the last record; `undefined` for an empty history. */
export function endOfHistory(store: Store): HistoryCursor | undefined {
  using _lock = lockHistory(store, "to read");
  for (const path of historyFiles(store)) {
    const size = sizeOf(store.fs, path);
    for (const length of [TAIL_BYTES, LINE_BYTES_MAX]) {
      const last = size === 0
        ? undefined
        : readEntries(store.fs, path, Math.max(0, size - length), Infinity).at(-1);
      if (last !== undefined) return last.cursor;
    }
  }
  return undefined;
}

function sizeOf(fs: FileSystem, path: string): number {
  try {
    const info = findFile(fs, path);
    return info?.isFile === true ? info.size : 0;
  } catch (error) {
    if (error instanceof UnusableFileError) return 0;
    throw error;
  }
}

function holds({ fs }: Store, path: string, { start, end, runId }: HistoryCursor): boolean {
  if (start >= end || end - start > LINE_BYTES_MAX || end > sizeOf(fs, path)) return false;
  const line = ifFound(() => {
    using file = fs.openSync(path, { read: true });
    return new TextDecoder().decode(readAt(file, start, end - start));
  });
  return line !== undefined && parseRecord(line)?.runId === runId;
}

/** Returns the records of a file from an offset on. A last line without a line end counts if it parses. */
function readEntries(fs: FileSystem, path: string, offset: number, countMax: number): HistoryEntry[] {
  const entries: HistoryEntry[] = [];
  const decoder = new TextDecoder();
  using file = fs.openSync(path, { read: true });
  const size = file.statSync().size;
  let start = offset;
  for (let length = READ_BYTES; start < size && entries.length < countMax;) {
    const bytes = readAt(file, start, Math.min(length, size - start));
    const isLast = start + bytes.length >= size;
    let used = 0;
    while (used < bytes.length && entries.length < countMax) {
      const found = bytes.indexOf(NEWLINE, used);
      if (found === -1 && !isLast) break;
      const end = found === -1 ? bytes.length : found;
      const record = parseRecord(decoder.decode(bytes.subarray(used, end)));
      const cursor = { start: start + used, end: start + end };
      if (record !== undefined) entries.push({ record, cursor: { ...cursor, runId: record.runId } });
      used = end + 1;
    }
    if (used === 0 && length > LINE_BYTES_MAX) {
      // A damaged line: what follows starts with the rest of it, which does not parse either.
      start += bytes.length;
      length = READ_BYTES;
    } else {
      // A line that is longer than the read bytes is read whole.
      length = used === 0 ? length * 2 : READ_BYTES;
      start += used;
    }
    if (bytes.length === 0) break;
  }
  return entries;
}

const NEWLINE = 0x0a;
