import { join } from "node:path";
import { z } from "zod";
import { CleanString } from "../core/clean_string.ts";
import { isoSeconds } from "../core/clock.ts";
import type { Context } from "../core/context.ts";
import { findText, ifFound, removeFile, UnusableFileError, writeAllSync } from "../core/files.ts";
import { listFolder } from "../core/folders.ts";
import { tryLock } from "../core/lock.ts";
import { RunStep } from "./history.ts";
import type { IntentRun } from "./intent.ts";
import type { Store } from "./store.ts";

/**
 * The runs that are going on. Each holds a lock on a file of its own in `running/`, whatever else it locks or waits
 * for, so that a process that is killed leaves a file that no process locks: that is how the next run knows of it.
 */

const RunMark = z.object({
  runId: CleanString,
  command: CleanString,
  startedAt: CleanString,
  host: CleanString,
  pid: z.number(),
  /** What the run is doing. */
  step: CleanString.optional(),
  /** What it has done. */
  steps: z.array(RunStep).optional(),
  /** The last time that it said so. */
  at: CleanString,
});
/** A run that is going on, or was when its process was killed. */
export type RunMark = Readonly<z.infer<typeof RunMark>>;

/** Names of a run, a host and a step. */
const MARK_BYTES_MAX = 64 * 1024;

/** One machine runs a few commands at once; what a thousand kills left is swept in several runs. */
const MARKS_MAX = 1_000;

/** The mark of this process's run; removed when it is disposed of. */
export interface OwnMark extends Disposable {
  /** Says what the run is doing now, and what it has done. */
  note(step: string, done: readonly RunStep[]): void;
}

/**
 * Marks a run as going on until the result is disposed of. Where the disk takes no file, the run goes on without: then
 * only its intent tells of it.
 */
export function markRun(context: Context, store: Store, run: IntentRun): OwnMark {
  const file = openMark(context, store, run);
  return {
    note(step, done) {
      if (file !== undefined) overwrite(file, markText(context, run, { step, steps: [...done] }));
    },
    [Symbol.dispose]() {
      if (file === undefined) return;
      try {
        removeFile(store.fs, pathOf(store, run.runId));
      } catch {
        // The next run finds a mark whose run is on record, and removes it.
      }
      file.close();
    },
  };
}

/** Gets its name when it is locked: a file of that name that no process locks is a killed run's. */
function openMark(context: Context, store: Store, run: IntentRun): Deno.FsFile | undefined {
  const { fs, root } = store;
  const path = pathOf(store, run.runId);
  let file: Deno.FsFile | undefined;
  try {
    fs.mkdirSync(join(root, FOLDER), { recursive: true });
    file = fs.openSync(`${path}.new`, { write: true, createNew: true });
    file.lockSync(true);
    overwrite(file, markText(context, run));
    fs.renameSync(`${path}.new`, path);
    return file;
  } catch {
    file?.close();
    return undefined;
  }
}

function markText(
  { clock, host }: Context,
  { runId, command, startedAt }: IntentRun,
  progress: Pick<RunMark, "step" | "steps"> = {},
): string {
  const at = isoSeconds(clock.now());
  const mark: RunMark = { runId, command, startedAt, host, pid: Deno.pid, ...progress, at };
  return `${JSON.stringify(mark)}\n`;
}

/** In place, because the lock is on this file. Readers take the first line: what follows is of a longer one before. */
function overwrite(file: Deno.FsFile, text: string): void {
  try {
    file.seekSync(0, Deno.SeekMode.Start);
    writeAllSync(file, new TextEncoder().encode(text));
  } catch {
    // A full disk: that the file is locked says enough.
  }
}

/** Returns the runs that are going on now, this process's too, oldest first. Needs read permission. */
export async function findRunning(store: Store): Promise<RunMark[]> {
  const running: RunMark[] = [];
  for (const runId of markedRuns(store)) {
    const lock = await tryLock(store.fs, pathOf(store, runId));
    if (typeof lock === "object") lock[Symbol.dispose]();
    const mark = lock === "locked" ? readMark(store, runId) : undefined;
    if (mark !== undefined) running.push(mark);
  }
  return running;
}

/** A run that was killed. No other process finds it until it is disposed of. */
export interface KilledRun extends Disposable {
  readonly runId: string;
  /** What is known of it, but for its name. */
  readonly mark: RunMark | undefined;
  /** Removes what tells of it. */
  forget(): void;
}

/** Removes what processes left that were killed before they had marked their run. */
export function sweepMarks({ fs, root }: Store, now: Date): void {
  for (const { name } of listFolder(fs, join(root, FOLDER)) ?? []) {
    const path = join(root, FOLDER, name);
    const madeMs = name.endsWith(".new") ? ifFound(() => fs.statSync(path))?.mtime?.getTime() : undefined;
    if (madeMs !== undefined && now.getTime() - madeMs > SCRATCH_AGE_MS) removeFile(fs, path);
  }
}

/** A mark gets its name in microseconds. */
const SCRATCH_AGE_MS = 24 * 3_600_000;

/** Finds the runs whose processes were killed, oldest first. Each is to be disposed of before the next is asked for. */
export async function* findKilled(store: Store): AsyncGenerator<KilledRun> {
  for (const runId of markedRuns(store)) {
    const lock = await tryLock(store.fs, pathOf(store, runId));
    if (typeof lock !== "object") continue;
    yield {
      runId,
      mark: readMark(store, runId),
      forget: () => forgetMark(store, runId),
      [Symbol.dispose]: () => lock[Symbol.dispose](),
    };
  }
}

/** Removes the mark of a run that is known to be over. */
export function forgetMark(store: Store, runId: string): void {
  removeFile(store.fs, pathOf(store, runId));
}

/** The mark of one run, whether it is going on or was killed; `undefined` where there is none, or it is damaged. */
export function readMark(store: Pick<Store, "fs" | "root">, runId: string): RunMark | undefined {
  try {
    const [line = ""] = (findText(store.fs, pathOf(store, runId), MARK_BYTES_MAX) ?? "").split("\n", 1);
    return RunMark.parse(JSON.parse(line));
  } catch (error) {
    const isDamaged = error instanceof SyntaxError || error instanceof z.ZodError ||
      error instanceof UnusableFileError;
    if (isDamaged) return undefined;
    throw error;
  }
}

/** The names of runs begin with the time of their start. */
function markedRuns({ fs, root }: Store): string[] {
  const entries = listFolder(fs, join(root, FOLDER)) ?? [];
  const names = entries.filter(({ name, isFile }) => isFile && name.endsWith(SUFFIX)).map(({ name }) => name);
  return names.sort().slice(0, MARKS_MAX).map((name) => name.slice(0, -SUFFIX.length));
}

function pathOf({ root }: Pick<Store, "root">, runId: string): string {
  return join(root, FOLDER, `${runId}${SUFFIX}`);
}

const FOLDER = "running";
const SUFFIX = ".json";

/** A name for a run: sorts by time, and differs between two runs of one second. */
export function newRunId({ clock }: Pick<Context, "clock">): string {
  const time = isoSeconds(clock.now()).replace(/[-:]/g, "");
  const random = crypto.getRandomValues(new Uint8Array(3));
  return `${time}-${Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
