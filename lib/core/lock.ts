import * as z from "zod";
import { CleanString } from "./clean_string.ts";
import { type Clock, isoSeconds, systemClock } from "./clock.ts";
import { type Context, neverAborted } from "./context.ts";
import { DiskError, diskError, LockedError } from "./errors.ts";
import { type FileSystem, findEntry, findFile, findText, UnusableFileError } from "./files.ts";

/**
 * The holder of a lock, for the message of the process that cannot take it. The lock itself is the operating system's.
 */
export interface LockOwner {
  readonly command: string;
  /** Missing if the holder is not a run. */
  readonly runId?: string;
  readonly host: string;
}

const LockText = z.object({ pid: z.number(), host: CleanString, command: CleanString, since: CleanString });

/** A lock file names a host, a command and a run. */
const OWNER_BYTES_MAX = 64 * 1024;

/**
 * A free lock is taken in microseconds. For moments, a lock may also be held by a reader that checks it, or by a
 * program that is being started and has a copy of every open file. After this time, a run holds it. It is real time,
 * not the run's clock, because other processes are involved.
 */
const LOCK_WAIT_MS = 250;

/** The time between two attempts. */
const LOCK_LOOK_MS = 10;

/**
 * Returns an exclusive lock. The system releases it when this process ends, even by a kill. Dispose of it to release it
 * earlier. Needs read and write permission.
 *
 * @throws {LockedError} code `LOCKED`, naming the holder
 */
export async function acquireLock(
  fs: FileSystem,
  path: string,
  owner: LockOwner,
  clock: Clock,
): Promise<Disposable> {
  const file = await openLockFile(fs, path);
  if (!await lockOrClose(file, true, LOCK_WAIT_MS)) throw lockedError(fs, path);
  return held(file, path, owner, clock);
}

/** Writes the holder into the lock file, and returns the lock. */
function held(file: Deno.FsFile, path: string, owner: LockOwner, clock: Clock): Disposable {
  const text: z.infer<typeof LockText> = {
    pid: Deno.pid,
    host: owner.host,
    command: owner.runId === undefined ? owner.command : `${owner.command} (run ${owner.runId})`,
    since: isoSeconds(clock.now()),
  };
  try {
    const bytes = new TextEncoder().encode(JSON.stringify(text));
    file.writeSync(bytes);
    // Only then: some file systems write a file to the disk that was emptied before.
    if (file.statSync().size > bytes.length) file.truncateSync(bytes.length);
  } catch (error) {
    const failure = diskError(error, `write the lock ${path}`);
    // The text only serves the message, and `prune` must work on a full disk.
    if (!(failure instanceof DiskError)) {
      file.close();
      throw failure;
    }
  }
  // The text that stays in the file means nothing once the lock is released.
  return { [Symbol.dispose]: () => letGo(file) };
}

/** The time between two attempts while another process delivers the same reports. */
const AWAIT_PAUSE_MS = 200;

/**
 * As {@link acquireLock}, but waits until the lock is free or the signal is aborted.
 *
 * @throws the signal's reason
 */
export async function awaitLock(
  { fs, clock, signal, host }: Pick<Context, "fs" | "clock" | "signal" | "host">,
  path: string,
  owner: Omit<LockOwner, "host">,
  pauseMs: number = AWAIT_PAUSE_MS,
): Promise<Disposable> {
  const file = await openLockFile(fs, path);
  // Without `tryLockSync`, each failed attempt would block another thread of the runtime.
  if (!canTry(file)) return held(await lockInThread(file, signal), path, { ...owner, host }, clock);
  file.close();
  for (;;) {
    try {
      return await acquireLock(fs, path, { ...owner, host }, clock);
    } catch (error) {
      if (!(error instanceof LockedError)) throw error;
      await clock.sleep(pauseMs, signal);
    }
  }
}

/**
 * Returns whether a lock is held, by another process or by this one. It takes a shared lock and releases it at once, so
 * it needs read permission only. A lock file that cannot be opened counts as free.
 */
export async function isLocked(fs: FileSystem, path: string): Promise<boolean> {
  const file = await openToRead(fs, path);
  if (file === undefined) return false;
  const isFree = await lockOrClose(file, false, LOCK_WAIT_MS);
  if (isFree) letGo(file);
  return !isFree;
}

/**
 * Takes the lock of an existing file without waiting. Needs read permission only.
 *
 * @returns `"none"` if there is no such file, or it cannot be opened
 */
export async function tryLock(fs: FileSystem, path: string): Promise<Disposable | "locked" | "none"> {
  const file = await openToRead(fs, path);
  if (file === undefined) return "none";
  return await lockOrClose(file, true, 0) ? { [Symbol.dispose]: () => letGo(file) } : "locked";
}

/**
 * Unlocks and closes a file. Closing is not enough: a program that is being started has copies of all open files, and
 * would keep the lock.
 */
function letGo(file: Deno.FsFile): void {
  try {
    file.unlockSync();
  } finally {
    file.close();
  }
}

/** A file with a non-blocking lock, which Deno has since 2.8. */
type Lockable = Deno.FsFile & { readonly tryLockSync?: (exclusive?: boolean) => boolean };

/** Locks a file, or closes it. @returns whether it is locked */
async function lockOrClose(file: Lockable, exclusive: boolean, waitMs: number): Promise<boolean> {
  if (!canTry(file)) return await lockOrCloseLater(file, exclusive);
  for (let waitedMs = 0; !file.tryLockSync(exclusive); waitedMs += LOCK_LOOK_MS) {
    if (waitedMs >= waitMs) {
      file.close();
      return false;
    }
    await systemClock.sleep(LOCK_LOOK_MS, neverAborted());
  }
  return true;
}

function canTry(file: Lockable): file is Required<Lockable> {
  return typeof file.tryLockSync === "function";
}

/** Waits for a lock in one thread of the runtime, without a time limit. @throws the signal's reason */
async function lockInThread(file: Deno.FsFile, signal: AbortSignal): Promise<Deno.FsFile> {
  const locking = file.lock(true);
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await Promise.race([locking, aborted.promise]);
    return file;
  } catch (error) {
    locking.then(() => letGo(file), () => file.close());
    throw error;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/**
 * As {@link lockOrClose}, for Deno before 2.8. A failed attempt blocks a thread of the runtime until the lock is free.
 */
async function lockOrCloseLater(file: Deno.FsFile, exclusive: boolean): Promise<boolean> {
  const locking = file.lock(exclusive).then(() => true);
  const waiting = new AbortController();
  const timeout = systemClock.sleep(LOCK_WAIT_MS, waiting.signal).then(() => false, () => false);
  const locked = await Promise.race([locking, timeout]);
  waiting.abort();
  // The pending lock may be granted later. It is released at once.
  if (!locked) locking.then(() => letGo(file), () => file.close());
  return locked;
}

async function openToRead(fs: FileSystem, path: string): Promise<Deno.FsFile | undefined> {
  try {
    return findFile(fs, path) === undefined ? undefined : await fs.open(path, { read: true });
  } catch {
    return undefined;
  }
}

async function openLockFile(fs: FileSystem, path: string): Promise<Deno.FsFile> {
  try {
    // The holder's name would be written into the file to which a link leads.
    if (findEntry(fs, path)?.isSymlink === true) {
      throw new UnusableFileError(path, "it is a link, not a file");
    }
    findFile(fs, path);
    return await fs.open(path, { read: true, write: true, create: true });
  } catch (error) {
    if (!(error instanceof UnusableFileError)) throw diskError(error, `open the lock ${path}`);
    throw new DiskError(`Cannot lock ${path}: ${error.reason}`, {
      code: "LOCK_UNUSABLE",
      hint: `move ${path} away and run again`,
    });
  }
}

function lockedError(fs: FileSystem, path: string): LockedError {
  const holder = LockText.safeParse(readOwner(fs, path));
  const by = holder.success
    ? `held by pid ${holder.data.pid} on ${holder.data.host} since ${holder.data.since}, running ${holder.data.command}`
    : "held by another run";
  return new LockedError(`Cannot lock ${path}: ${by}`, {
    code: "LOCKED",
    hint: "wait for that run to end, or stop it; its lock goes with it",
  });
}

function readOwner(fs: FileSystem, path: string): unknown {
  try {
    return JSON.parse(findText(fs, path, OWNER_BYTES_MAX) ?? "");
  } catch {
    // The holder may be writing it at this moment, or another program wrote it.
    return undefined;
  }
}
