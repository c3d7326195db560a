import { LockedError } from "../../lib/core/errors.ts";
import { isLocked } from "./kv_failure.ts";

/**
 * An atomic operation takes 1,000 mutations and 800 KiB. A group of writes takes up to 570 KiB: a long value and a few
 * rows. So that the last group still fits, an operation is full when it has half.
 */
const MUTATIONS_MAX = 500;
const BYTES_MAX = 400 * 1024;

/** A write that says the same whenever it is repeated. */
export interface Write {
  readonly key: Deno.KvKey;
  /** `undefined` removes the entry. */
  readonly value: unknown;
  /** About what it takes of an atomic operation. */
  readonly bytes: number;
}

/** What an entry of the database is guarded by: unchanged since it was read, or not there. */
export interface Guard {
  readonly key: Deno.KvKey;
  readonly versionstamp: string | null;
}

/**
 * Writes values that stay the same when they are written again, in as many atomic operations as they need. The writes of
 * one group stay together.
 */
export async function writeAll(kv: Deno.Kv, groups: Iterable<readonly Write[]>): Promise<void> {
  let operation = kv.atomic();
  let [mutations, bytes] = [0, 0];
  for (const group of groups) {
    const groupBytes = group.reduce((sum, write) => sum + write.bytes, 0);
    if (mutations > 0 && (mutations + group.length > MUTATIONS_MAX || bytes + groupBytes > BYTES_MAX)) {
      await commitUnguarded(operation);
      operation = kv.atomic();
      [mutations, bytes] = [0, 0];
    }
    addWrites(operation, group);
    mutations += group.length;
    bytes += groupBytes;
  }
  if (mutations > 0) await commitUnguarded(operation);
}

/**
 * Commits an operation without guards: only another process that writes to the file is in the way.
 *
 * @throws {LockedError} code `DATABASE_LOCKED`, when other writers are always faster
 */
export async function commitUnguarded(operation: Deno.AtomicOperation): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) if (await committed(operation)) return;
  throw alwaysChanged();
}

/** Adds writes to an atomic operation. */
export function addWrites(operation: Deno.AtomicOperation, writes: readonly Write[]): void {
  for (const { key, value } of writes) {
    if (value === undefined) operation.delete(key);
    else operation.set(key, value);
  }
}

/** Attempts at a change that other instances change meanwhile. An attempt fails because another one succeeded or is written. */
const ATTEMPTS_MAX = 50;

/**
 * Changes entries by compare-and-set: reads, asks for the change, and commits it if nothing that was read has changed
 * meanwhile; else again. `change` returns `undefined` where nothing is to be done.
 *
 * @throws {LockedError} code `DATABASE_LOCKED`, when other writers are always faster
 */
export async function compareAndSet(
  change: () => Promise<
    { readonly guards: readonly Guard[]; readonly operation: Deno.AtomicOperation } | undefined
  >,
): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const wanted = await change();
    if (wanted === undefined) return;
    const { guards, operation } = wanted;
    for (const guard of guards) operation.check(guard);
    if (await committed(operation)) return;
  }
  throw alwaysChanged();
}

/** A writer holds SQLite's lock for a few milliseconds. */
const LOCKED_MS = 10;

/** SQLite itself waits 5 s for a lock that another process keeps: waiting for it again and again would take minutes. */
const WAITED_MS = 1_000;

/** What came of a commit: `locked` while another process writes to SQLite's file. */
export type CommitOutcome = "committed" | "conflict" | "locked";

/**
 * Commits an operation. Deno reports the lock of SQLite, which another process holds for milliseconds, at once and as an
 * error: here it is an outcome, after a short wait. The wait is one of real time, whatever the dashboard's clock says.
 *
 * @throws what the database throws otherwise, and where a lock is kept for seconds
 */
export async function commitOutcome(operation: Deno.AtomicOperation): Promise<CommitOutcome> {
  const begunMs = performance.now();
  try {
    return (await operation.commit()).ok ? "committed" : "conflict";
  } catch (error) {
    if (!isLocked(error) || performance.now() - begunMs > WAITED_MS) throw error;
    await new Promise((resolve) => setTimeout(resolve, LOCKED_MS * (1 + Math.random())));
    return "locked";
  }
}

/** Commits an operation and returns whether that worked; `false` for a conflict with another writer, and for its lock. */
export async function committed(operation: Deno.AtomicOperation): Promise<boolean> {
  return await commitOutcome(operation) === "committed";
}

/** Returns the error for a change that other writers did not let through, attempt after attempt. */
export function alwaysChanged(): Error {
  return new LockedError("Cannot change the database: other processes keep writing to it", {
    code: "DATABASE_LOCKED",
    hint: "try again in a moment",
  });
}

/** What is under way in this process, by its name. */
const turns = new Map<string, Promise<unknown>>();

/**
 * Does a piece of work once those of the same name have ended that this process began before. A compare-and-set that
 * many requests try at the same time would fail for all of them but one, again and again; other processes have a request
 * or two at a time.
 */
export async function inTurn<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
  const before = turns.get(name);
  // Whether the one before failed is for its own caller.
  const mine = before === undefined ? work() : before.then(work, work);
  turns.set(name, mine);
  try {
    return await mine;
  } finally {
    if (turns.get(name) === mine) turns.delete(name);
  }
}
