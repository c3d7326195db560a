import { join } from "node:path";
import * as z from "zod";
import { CleanString } from "../core/clean_string.ts";
import {
  type FileSystem,
  findFile,
  ifFound,
  syncFolder,
  UnusableFileError,
  writeAllSync,
} from "../core/files.ts";
import { parseJson } from "../core/json.ts";
import { readAt } from "../core/read_at.ts";
import { CARRIERS, Digest, Withdrawal } from "../release/manifest.ts";
import { RecordedWriter } from "./recorded_writer.ts";
import { warnOfDamage } from "./state_entries.ts";
import type { Store } from "./store.ts";
import { UNCOMPILED } from "../core/zod_options.ts";

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
  "withdrawn",
  "reinstated",
  "failed",
  "interrupted",
  "redeployed",
  "paused",
  "resumed",
  "requested",
] as const;
/** How a run ended. */
export type Outcome = (typeof OUTCOMES)[number];

/** The number of records that show how a machine is used: ten days with a pull every 15 minutes. */
export const HISTORY_LOOKBACK = 1_000;

/** Commands for which the model folder is the folder that this machine trains into. */
export const TRAINING_COMMANDS: readonly string[] = ["publish", "hf-upload", "train"];

/** Commands whose records name the release that they published, not the active one. */
export const PUBLISHING_COMMANDS: readonly string[] = [
  "publish",
  "hf-upload",
  "train",
  "redeploy",
  "withdraw",
  "references-sync",
];

/** A step of a run with its duration. Steps may overlap. */
export const RunStep = z.object({
  name: CleanString,
  /** From the start of the run. */
  startMs: z.number(),
  durationMs: z.number(),
});
export type RunStep = Readonly<z.infer<typeof RunStep>>;

/** A pull request of a reference sync. */
const RunPullRequest = z.object({
  /** `owner/name` */
  repository: CleanString,
  /** `created`, `updated` or `closed` by the run. */
  outcome: CleanString,
  number: z.number().optional(),
  url: CleanString.optional(),
  /** The number of models that it changes. */
  changes: z.number(),
});
export type RunPullRequest = Readonly<z.infer<typeof RunPullRequest>>;

const RunActivation = z.object({
  release: Digest,
  sequence: z.number(),
  carrier: z.enum(CARRIERS),
  revision: CleanString,
});
/** A release that a run activated, and its origin. */
export type RunActivation = Readonly<z.infer<typeof RunActivation>>;

const RunRecord = z.object({
  runId: CleanString,
  command: CleanString,
  outcome: z.enum(OUTCOMES),
  startedAt: CleanString,
  durationMs: z.number(),
  host: CleanString,
  carrier: z.enum(CARRIERS).optional(),
  /** The revision that was inspected, such as a commit. */
  revision: CleanString.optional(),
  /** The release that is active or published after the run. */
  release: Digest.optional(),
  /** The release before it. */
  previous: Digest.optional(),
  /** Another program changed the release's files after model-sync published them. */
  otherWriter: RecordedWriter.optional(),
  sequence: z.number().optional(),
  files: z.number().optional(),
  /** The size of the release. */
  bytes: z.number().optional(),
  /** The bytes that were written or sent. The rest was there already. */
  writtenBytes: z.number().optional(),
  changed: z.number().optional(),
  /** The hint of the key whose signature this run made or verified. */
  signer: CleanString.optional(),
  /** The change of a withdrawal that this run published, or because of which it rolled back. */
  withdrawal: Withdrawal.optional(),
  pullRequests: z.array(RunPullRequest).optional(),
  /** The release that a run activated that did not end as activated. */
  activated: RunActivation.optional(),
  steps: z.array(RunStep).optional(),
  error: z.object({
    code: CleanString,
    message: CleanString,
    hint: CleanString.optional(),
    /** The exit code of the run's process. */
    exitCode: z.number().int().min(0).max(255).optional(),
  }).optional(),
  /** The last lines of the log, of a run that failed. */
  log: z.array(CleanString).optional(),
});
/** One run, as `history.jsonl` keeps it. */
export type RunRecord = Readonly<z.infer<typeof RunRecord>>;

/** Returns the record of a run: only the fields of a record, with clean texts. */
export function runRecord(fields: RunRecord): RunRecord {
  return RunRecord.parse(fields, UNCOMPILED);
}

/** Three months with a run every 15 minutes. Then the file is renamed to `history.1.jsonl`, and a new one begins. */
const HISTORY_BYTES_MAX = 16 * 1024 * 1024;

/** The number of older files: a reader that is offline for a month still finds what it missed. */
const OLDER_FILES = 3;

/** Records have about 2 KB. A longer line is damaged and is skipped. */
export const LINE_BYTES_MAX = 1024 * 1024;

/** Appends a run to the history, durably. A line that a crash cut short is ended first. */
export function appendHistory(store: Store, record: RunRecord): void {
  const { fs, history } = store;
  const line = JSON.stringify(runRecord(record));
  // Without the lock, two runs that end at the same time could rename the file twice.
  using _lock = lockHistory(store, "to write");
  const size = findFile(fs, history)?.size ?? 0;
  const isFull = size > HISTORY_BYTES_MAX;
  if (isFull) rotate(store);
  const isTorn = !isFull && size > 0 && readEnd(fs, history, 1) !== "\n";
  using file = fs.openSync(history, { append: true, create: true });
  writeAllSync(file, new TextEncoder().encode(`${isTorn ? "\n" : ""}${line}\n`));
  file.syncSync();
  if (size === 0 || isFull) syncFolder(fs, store.root);
}

/** Returns the paths of the history files, newest first. Some may not exist. */
export function historyFiles({ history }: Pick<Store, "history">): string[] {
  const older = Array.from({ length: OLDER_FILES }, (_, index) => `.${index + 1}.jsonl`);
  return [history, ...older.map((end) => history.replace(/\.jsonl$/, end))];
}

/** Renames each file to the next older name. The oldest file is replaced. */
function rotate(store: Store): void {
  const files = historyFiles(store);
  for (let index = files.length - 1; index > 0; index--) {
    const [from = "", to = ""] = [files[index - 1], files[index]];
    ifFound(() => store.fs.renameSync(from, to));
  }
}

/**
 * Locks the history, so that no other process renames its files until the result is disposed. It is held for
 * milliseconds, and never across an await.
 *
 * @returns `undefined` on a disk that takes no lock file; the history is written without it
 */
export function lockHistory(
  { fs, root }: Pick<Store, "fs" | "root">,
  purpose: "to read" | "to write",
): Disposable | undefined {
  const path = join(root, "history.lock");
  let file: Deno.FsFile | undefined;
  try {
    // Opening a named pipe would wait for its other end.
    findFile(fs, path);
    file = fs.openSync(path, purpose === "to write" ? { write: true, create: true } : { read: true });
    file.lockSync(purpose === "to write");
    return file;
  } catch {
    file?.close();
    return undefined;
  }
}

/** Returns the last runs, newest first. Lines that were cut short or that a later version wrote are skipped. */
export function readHistory(store: Store, countMax: number): RunRecord[] {
  return [...newestRuns(store, countMax)];
}

/**
 * Yields the runs among the last ones whose lines may match, newest first, as {@link readHistory} returns them. A run is
 * parsed only when it is wanted: parsing costs ten times as much as reading.
 *
 * @param mayMatch returns `false` for lines to skip. They are as {@link appendHistory} writes them: {@link hasField} finds
 * a field
 */
export function* newestRuns(
  store: Store,
  countMax: number,
  mayMatch: (line: string) => boolean = () => true,
): Generator<RunRecord, undefined> {
  let left = countMax;
  // A new file may hold fewer records than wanted.
  for (const path of historyFiles(store).slice(0, 2)) {
    for (const line of readTail(store, path).split("\n").reverse()) {
      if (left === 0) return;
      if (line === "") continue;
      const record = mayMatch(line) ? parseRecord(line) : "skipped";
      if (record === undefined) continue;
      left--;
      if (record !== "skipped") yield record;
    }
  }
}

/** Returns whether a line of the history has a field of this name with this text, which JSON does not escape. */
export function hasField(line: string, name: "command" | "outcome", text: string): boolean {
  return line.includes(`"${name}":"${text}"`);
}

/** Returns "" if the path is not a file: opening a pipe would wait for its writer. */
function readTail(store: Store, path: string): string {
  try {
    return findFile(store.fs, path)?.isFile === true ? readEnd(store.fs, path, LINE_BYTES_MAX) : "";
  } catch (error) {
    if (!(error instanceof UnusableFileError)) throw error;
    warnOfDamage(store, "history.jsonl", error.reason);
    return "";
  }
}

/** Returns the record of a line; `undefined` if a crash cut the line short or a later version wrote it. */
export function parseRecord(line: string): RunRecord | undefined {
  return RunRecord.safeParse(parseJson(line), UNCOMPILED).data;
}

function readEnd(fs: FileSystem, path: string, bytesMax: number): string {
  using file = fs.openSync(path, { read: true });
  const size = file.statSync().size;
  const length = Math.min(bytesMax, size);
  return new TextDecoder().decode(readAt(file, size - length, length));
}
