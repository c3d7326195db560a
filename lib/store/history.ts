import { z } from "zod";
import { CleanString } from "../core/clean_string.ts";
import { type FileSystem, findFile, syncFolder, UnusableFileError, writeAllSync } from "../core/files.ts";
import { CARRIERS, Digest } from "../release/manifest.ts";
import { RecordedWriter } from "./recorded_writer.ts";
import { warnOfDamage } from "./state_entries.ts";
import type { Store } from "./store.ts";

export const OUTCOMES = [
  "activated",
  "published",
  "proposed",
  "trained",
  "pruned",
  "unchanged",
  "refused",
  "rolled-back",
  "promoted",
  "quarantined",
  "lifted",
  "failed",
  "interrupted",
] as const;
/** How a run ended. */
export type Outcome = (typeof OUTCOMES)[number];

/** Commands whose records name the release that they published, not the one that is active here. */
export const PUBLISHING_COMMANDS: readonly string[] = ["publish", "hf-upload", "train", "references-sync"];

const RunRecord = z.object({
  runId: CleanString,
  command: CleanString,
  outcome: z.enum(OUTCOMES),
  startedAt: CleanString,
  durationMs: z.number(),
  host: CleanString,
  carrier: z.enum(CARRIERS).optional(),
  /** The carrier's name for what was looked at: a commit. */
  revision: CleanString.optional(),
  /** The release that is active or published after the run. */
  release: Digest.optional(),
  /** The one before it. */
  previous: Digest.optional(),
  /** Another program changed the release's files after model-sync published them. */
  otherWriter: RecordedWriter.optional(),
  sequence: z.number().optional(),
  files: z.number().optional(),
  bytes: z.number().optional(),
  changed: z.number().optional(),
  error: z.object({ code: CleanString, message: CleanString }).optional(),
});
/** One run, as `history.jsonl` keeps it. */
export type RunRecord = Readonly<z.infer<typeof RunRecord>>;

/** The record of a run: the fields that a record has, whatever else a report carries, and its texts clean. */
export function runRecord(fields: RunRecord): RunRecord {
  return RunRecord.parse(fields);
}

/** Half a year of a run every quarter of an hour; then the file becomes `history.1.jsonl` and a new one begins. */
const HISTORY_BYTES_MAX = 16 * 1024 * 1024;

/** Records are some 600 bytes; a line beyond this is damage and is skipped. */
const TAIL_BYTES_MAX = 1024 * 1024;

/** Appends a run to the history, durably. A line that an earlier crash tore is closed first. */
export function appendHistory(store: Store, record: RunRecord): void {
  const { fs, history } = store;
  const size = findFile(fs, history)?.size ?? 0;
  const full = size > HISTORY_BYTES_MAX;
  if (full) fs.renameSync(history, history.replace(/\.jsonl$/, ".1.jsonl"));
  const torn = !full && size > 0 && readEnd(fs, history, 1) !== "\n";
  using file = fs.openSync(history, { append: true, create: true });
  const line = new TextEncoder().encode(`${torn ? "\n" : ""}${JSON.stringify(runRecord(record))}\n`);
  writeAllSync(file, line);
  file.syncSync();
  if (size === 0 || full) syncFolder(fs, store.root);
}

/** The last runs, newest first. Lines that are torn or from a later version are skipped. */
export function readHistory(store: Store, countMax: number): RunRecord[] {
  const records: RunRecord[] = [];
  for (const line of readTail(store).split("\n").reverse()) {
    if (records.length === countMax) break;
    const record = parseLine(line);
    if (record !== undefined) records.push(record);
  }
  return records;
}

/** Nothing of what is not a file: opening a pipe would wait for its writer. */
function readTail(store: Store): string {
  try {
    return findFile(store.fs, store.history)?.isFile === true
      ? readEnd(store.fs, store.history, TAIL_BYTES_MAX)
      : "";
  } catch (error) {
    if (!(error instanceof UnusableFileError)) throw error;
    warnOfDamage(store, "history.jsonl", error);
    return "";
  }
}

function parseLine(line: string): RunRecord | undefined {
  try {
    return RunRecord.parse(JSON.parse(line));
  } catch {
    // Torn by a crash, or cut by the start of the tail.
    return undefined;
  }
}

function readEnd(fs: FileSystem, path: string, bytesMax: number): string {
  using file = fs.openSync(path, { read: true });
  const size = file.statSync().size;
  const buffer = new Uint8Array(Math.min(bytesMax, size));
  file.seekSync(size - buffer.length, Deno.SeekMode.Start);
  let filled = 0;
  while (filled < buffer.length) {
    const count = file.readSync(buffer.subarray(filled));
    if (count === null) break;
    filled += count;
  }
  return new TextDecoder().decode(buffer.subarray(0, filled));
}
