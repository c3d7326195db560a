import { concatenate } from "../core/concatenate.ts";
import { findFile, UnusableFileError } from "../core/files.ts";
import { readAt } from "../core/read_at.ts";
import { historyFiles, LINE_BYTES_MAX, lockHistory, parseRecord, type RunRecord } from "./history.ts";
import { warnOfDamage } from "./state_entries.ts";
import type { Store } from "./store.ts";

/** The bytes that are read at a time: about a hundred records. */
const READ_BYTES = 256 * 1024;

/**
 * Yields the whole history, the run that ended last first, in constant memory. Runs that are recorded meanwhile are not
 * included. Needs read permission.
 *
 * @param mayMatch skips lines without parsing them, which takes most of the time
 * @yields `unreadable` for a line that a crash cut short or a later version wrote
 */
export function* runsNewestFirst(
  store: Store,
  mayMatch: (line: string) => boolean = () => true,
): Generator<RunRecord | "unreadable"> {
  const files = openFiles(store);
  try {
    for (const { file, size } of files) {
      for (const line of linesFromEnd(file, size)) {
        if (line === undefined) yield "unreadable";
        else if (line !== "" && mayMatch(line)) yield parseRecord(line) ?? "unreadable";
      }
    }
  } finally {
    for (const { file } of files) file.close();
  }
}

interface OpenedFile {
  readonly file: Deno.FsFile;
  readonly size: number;
}

/** Opens all files at once: they may be renamed while they are read. */
function openFiles(store: Store): OpenedFile[] {
  using _lock = lockHistory(store, "to read");
  const opened: OpenedFile[] = [];
  for (const path of historyFiles(store)) {
    const size = sizeOf(store, path);
    if (size > 0) opened.push({ file: store.fs.openSync(path, { read: true }), size });
  }
  return opened;
}

/** Returns 0 if the path is not a file: opening a pipe would wait for its writer. */
function sizeOf(store: Store, path: string): number {
  try {
    const info = findFile(store.fs, path);
    return info?.isFile === true ? info.size : 0;
  } catch (error) {
    if (!(error instanceof UnusableFileError)) throw error;
    warnOfDamage(store, "history.jsonl", error.reason);
    return 0;
  }
}

/** Yields the lines of a file, the last one first; `undefined` for a line that is too long for a record. */
function* linesFromEnd(
  file: Pick<Deno.FsFile, "readSync" | "seekSync">,
  size: number,
): Generator<string | undefined> {
  const decoder = new TextDecoder();
  /** The end of a line whose beginning is not read yet. */
  let rest = new Uint8Array();
  let isTooLong = false;
  const line = (start: Uint8Array<ArrayBuffer>): string | undefined => {
    const text = isTooLong ? undefined : decoder.decode(concatenate([start, rest]));
    [rest, isTooLong] = [new Uint8Array(), false];
    return text;
  };
  for (let end = size; end > 0;) {
    const start = Math.max(0, end - READ_BYTES);
    const bytes = readAt(file, start, end - start);
    let unread = bytes.length;
    for (let found = lastNewline(bytes, unread); found !== -1; found = lastNewline(bytes, unread)) {
      yield line(bytes.subarray(found + 1, unread));
      unread = found;
    }
    rest = concatenate([bytes.subarray(0, unread), rest]);
    if (rest.length > LINE_BYTES_MAX) [rest, isTooLong] = [new Uint8Array(), true];
    end = start;
  }
  yield line(new Uint8Array());
}

const NEWLINE = 0x0a;

/** Returns the place of the last newline before `end`; -1 without one. */
function lastNewline(bytes: Uint8Array, end: number): number {
  // From -1, the search would start at the end.
  return end === 0 ? -1 : bytes.lastIndexOf(NEWLINE, end - 1);
}
