import { z } from "zod";
import { CleanString } from "./clean_string.ts";
import { type Clock, isoSeconds, systemClock } from "./clock.ts";
import { type Context, neverAborted } from "./context.ts";
import { DiskError, diskError, LockedError } from "./errors.ts";
import { type FileSystem, findFile, findText, UnusableFileError } from "./files.ts";

/** Who holds a lock; for the message that the other one prints. The lock itself is the operating system's. */
export interface LockOwner {
  readonly command: string;
  /** Missing for what is no run. */
  readonly runId?: string;
  readonly host: string;
}

const LockText = z.object({ pid: z.number(), host: CleanString, command: CleanString, since: CleanString });

/** What is read of a lock file: names of a host, a command and a run. */
const OWNER_BYTES_MAX = 64 * 1024;

/**
 * A free lock is taken in microseconds; one that is not had by now is held, and neither by a reader that checks it nor by
 * a program that was just started, which has a copy of every open file for a moment. Real time, whatever clock the run
 * has: it is other processes that are waited for.
 */
const LOCK_WAIT_MS = 250;

/** The time between two attempts. */
const LOCK_LOOK_MS = 10;

/**
 * Takes an exclusive lock that the system releases when this process ends, however it ends. Dispose of it to release
 * it earlier. Needs read and write permission.
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

/** Says in the file of a lock who holds it. @returns what lets go of it */
function held(file: Deno.FsFile, path: string, owner: LockOwner, clock: Clock): Disposable {
  const text: z.infer<typeof LockText> = {
    pid: Deno.pid,
    host: owner.host,
    command: owner.runId === undefined ? owner.command : `${owner.command} (run ${owner.runId})`,
    since: isoSeconds(clock.now()),
  };
  try {
    file.truncateSync();
    file.writeSync(new TextEncoder().encode(JSON.stringify(text)));
  } catch (error) {
    const failure = diskError(error, `write the lock ${path}`);
    // The text is for the message alone, and a prune must be possible on a full disk.
    if (!(failure instanceof DiskError)) {
      file.close();
      throw failure;
    }
  }
  // What is left in the file says nothing once the lock is gone.
  return { [Symbol.dispose]: () => letGo(file) };
}

/** While another process sends what this one would have to send, it is asked again after this time. */
const AWAIT_PAUSE_MS = 200;

/**
 * Takes a lock as {@link acquireLock} does, and waits until the lock is free or the signal is aborted.
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
  // Each attempt would leave another thread behind, until none is left for anything else.
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
 * Returns whether another process or another part of this one holds a lock. Needs read permission only: it asks for a
 * shared lock and gives it back at once. A lock that cannot be opened counts as free.
 */
export async function isLocked(fs: FileSystem, path: string): Promise<boolean> {
  const file = await openToRead(fs, path);
  if (file === undefined) return false;
  const isFree = await lockOrClose(file, false, LOCK_WAIT_MS);
  if (isFree) letGo(file);
  return !isFree;
}

/**
 * Takes the lock of a file that is there, if it is free, without waiting. Needs read permission only.
 *
 * @returns `"none"` where there is no such file, or it cannot be opened
 */
export async function tryLock(fs: FileSystem, path: string): Promise<Disposable | "locked" | "none"> {
  const file = await openToRead(fs, path);
  if (file === undefined) return "none";
  return await lockOrClose(file, true, 0) ? { [Symbol.dispose]: () => letGo(file) } : "locked";
}

/**
 * Unlocks and closes a file. Closing alone would leave the lock with any program that was started a moment ago: it has
 * copies of all open files until it begins.
 */
function letGo(file: Deno.FsFile): void {
  try {
    file.unlockSync();
  } finally {
    file.close();
  }
}

/** A file that can be asked for a lock without waiting: Deno's can since 2.8. */
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

/** Waits for a lock in one thread of the runtime, however long that takes. @throws the signal's reason */
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

/** As {@link lockOrClose}; an attempt that fails leaves a thread of the runtime waiting until the lock is free. */
async function lockOrCloseLater(file: Deno.FsFile, exclusive: boolean): Promise<boolean> {
  const locking = file.lock(exclusive).then(() => true);
  const waiting = new AbortController();
  const timeout = systemClock.sleep(LOCK_WAIT_MS, waiting.signal).then(() => false, () => false);
  const locked = await Promise.race([locking, timeout]);
  waiting.abort();
  // The pending lock may still be granted later: then it is given back at once.
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
    // The holder may be writing it just now, or it is not this program's writing.
    return undefined;
  }
}
