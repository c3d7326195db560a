import { join } from "node:path";
import * as z from "zod";
import { CleanString } from "../core/clean_string.ts";
import { isoSeconds } from "../core/clock.ts";
import type { Context } from "../core/context.ts";
import { findText, ifFound, removeFile, UnusableFileError, writeAllSync } from "../core/files.ts";
import { listFolder } from "../core/folders.ts";
import { parseJson } from "../core/json.ts";
import { tryLock } from "../core/lock.ts";
import { RunStep } from "./history.ts";
import type { IntentRun } from "./intent.ts";
import type { Store } from "./store.ts";
import { UNCOMPILED } from "../core/zod_options.ts";

/**
 * The running runs. Each holds a lock on a file of its own in `running/`, whatever else it locks or waits for. A file
 * there without a lock belongs to a run that was killed.
 */

const RunMark = z.lazy(() =>
  z.object({
    runId: CleanString,
    command: CleanString,
    startedAt: CleanString,
    host: CleanString,
    pid: z.number(),
    /** The current step. */
    step: CleanString.optional(),
    /** The finished steps. */
    steps: z.array(RunStep).optional(),
    /** When this was written. */
    at: CleanString,
  })
);
/** A run that is running, or was until its process was killed. */
export type RunMark = Readonly<z.infer<typeof RunMark>>;

/** A mark holds names of a run, a host and steps. */
const MARK_BYTES_MAX = 64 * 1024;

/** A machine runs a few commands at once. The marks of more than a thousand kills are swept by several runs. */
const MARKS_MAX = 1_000;

/** The mark of this process's run. Disposing removes it. */
export interface OwnMark extends Disposable {
  /** Writes down the current step and the finished ones. */
  note(step: string, done: readonly RunStep[]): void;
}

/**
 * Marks a run as running until the result is disposed. Without room on the disk, the run has no mark: then only its
 * intent shows that it was killed.
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
        // The next run removes a mark whose run is on record.
      }
      file.close();
    },
  };
}

/** Renames the file to its name only when it is locked: an unlocked file of that name belongs to a killed run. */
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

/** Overwrites in place, because the lock is on this file. Readers use the first line: the rest is of a longer text before. */
function overwrite(file: Deno.FsFile, text: string): void {
  try {
    file.seekSync(0, Deno.SeekMode.Start);
    writeAllSync(file, new TextEncoder().encode(text));
  } catch {
    // The disk is full. The lock alone marks the run.
  }
}

/** The marks of runs, oldest first. */
export interface RunMarks {
  /** Including this process's. */
  readonly running: readonly RunMark[];
  /** Of killed runs that no later run has recorded. */
  readonly interrupted: readonly RunMark[];
}

/** Returns the marks of running and of killed runs. Needs read permission. */
export async function readMarks(store: Store): Promise<RunMarks> {
  const running: RunMark[] = [];
  const interrupted: RunMark[] = [];
  for (const runId of markedRuns(store)) {
    const lock = await tryLock(store.fs, pathOf(store, runId));
    using _held = typeof lock === "object" ? lock : undefined;
    const mark = lock === "none" ? undefined : readMark(store, runId);
    if (mark !== undefined) (lock === "locked" ? running : interrupted).push(mark);
  }
  return { running, interrupted };
}

/** Returns the running runs, including this process's, oldest first. Needs read permission. */
export async function findRunning(store: Store): Promise<readonly RunMark[]> {
  return (await readMarks(store)).running;
}

/** A run that was killed. No other process finds it until it is disposed. */
export interface KilledRun extends Disposable {
  readonly runId: string;
  /** Its mark; `undefined` if that is damaged. */
  readonly mark: RunMark | undefined;
  /** Removes its mark. */
  forget(): void;
}

/** Removes scratch files of processes that were killed while they marked their run. */
export function sweepMarks({ fs, root }: Store, now: Date): void {
  for (const { name } of listFolder(fs, join(root, FOLDER)) ?? []) {
    const path = join(root, FOLDER, name);
    const madeMs = name.endsWith(".new") ? ifFound(() => fs.statSync(path))?.mtime?.getTime() : undefined;
    if (madeMs !== undefined && now.getTime() - madeMs > SCRATCH_AGE_MS) removeFile(fs, path);
  }
}

/** A mark is renamed to its name within microseconds. */
const SCRATCH_AGE_MS = 24 * 3_600_000;

/**
 * Finds the killed runs, oldest first. Dispose of each before you ask for the next.
 *
 * @param own the run that asks, whose mark is locked: Deno before 2.8 would wait for that lock
 */
export async function* findKilled(store: Store, own?: string): AsyncGenerator<KilledRun> {
  for (const runId of markedRuns(store)) {
    if (runId === own) continue;
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

/** Removes the mark of a run that has ended. */
export function forgetMark(store: Store, runId: string): void {
  removeFile(store.fs, pathOf(store, runId));
}

/** Returns the mark of a run; `undefined` without one, or if it is damaged. */
export function readMark(store: Pick<Store, "fs" | "root">, runId: string): RunMark | undefined {
  try {
    const [line = ""] = (findText(store.fs, pathOf(store, runId), MARK_BYTES_MAX) ?? "").split("\n", 1);
    return RunMark.safeParse(parseJson(line), UNCOMPILED).data;
  } catch (error) {
    if (error instanceof UnusableFileError) return undefined;
    throw error;
  }
}

/** Run ids begin with the start time, so sorting orders them by time. */
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

/** Returns a new run id. Ids sort by time, and two runs of one second have different ones. */
export function newRunId({ clock }: Pick<Context, "clock">): string {
  const time = isoSeconds(clock.now()).replace(/[-:]/g, "");
  const random = crypto.getRandomValues(new Uint8Array(3));
  return `${time}-${Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
