import { LockedError } from "../../lib/core/errors.ts";
import { isLocked } from "./kv_failure.ts";

/**
 * An atomic operation allows 1,000 mutations and 800 KiB. A group of writes has up to 570 KiB: a long value and a few
 * rows. An operation counts as full at half of the limits, so that the last group still fits.
 */
const MUTATIONS_MAX = 500;
const BYTES_MAX = 400 * 1024;

/** An idempotent write. */
export interface Write {
  readonly key: Deno.KvKey;
  /** `undefined` removes the entry. */
  readonly value: unknown;
  /** Approximate size within an atomic operation. */
  readonly bytes: number;
}

/** The expected version of an entry: unchanged since it was read, or missing. */
export interface Guard {
  readonly key: Deno.KvKey;
  readonly versionstamp: string | null;
}

/** Writes idempotent values in as many atomic operations as they need. The writes of a group stay in one operation. */
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
 * Commits an operation without guards. It can only fail because another process writes to the file.
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

/** Attempts at a compare-and-set. Each fails only because another writer succeeded or holds the lock. */
const ATTEMPTS_MAX = 50;

/**
 * Changes entries by compare-and-set: calls `change`, and commits its operation if the guarded entries are unchanged;
 * otherwise repeats both. If `change` returns `undefined`, nothing is written.
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

/** Other writers hold SQLite's lock for a few milliseconds. */
const LOCKED_MS = 10;

/** SQLite waits 5 s for a lock. A lock that lasts longer is not retried, because that would take minutes. */
const WAITED_MS = 1_000;

/** The result of a commit. `locked`: another process is writing to the SQLite file. */
export type CommitOutcome = "committed" | "conflict" | "locked";

/**
 * Commits an operation. Deno throws immediately if another process holds SQLite's lock, which lasts milliseconds: here
 * that is an outcome, after a short wait in real time.
 *
 * @throws other errors of the database, and the lock error if the lock lasts for seconds
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

/** Commits an operation. @returns `false` after a conflict with another writer, or while the file is locked */
export async function committed(operation: Deno.AtomicOperation): Promise<boolean> {
  return await commitOutcome(operation) === "committed";
}

/** Returns the error for a change that failed in every attempt because of other writers. */
export function alwaysChanged(): Error {
  return new LockedError("Cannot change the database: other processes keep writing to it", {
    code: "DATABASE_LOCKED",
    hint: "try again in a moment",
  });
}

/** The last piece of work in this process, by name. */
const turns = new Map<string, Promise<unknown>>();

/**
 * Runs a piece of work after earlier work of the same name in this process. Without this, all but one of many
 * concurrent compare-and-sets would fail again and again. Other processes have only a request or two at a time.
 */
export async function inTurn<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
  const before = turns.get(name);
  // A failure of earlier work is reported to its own caller.
  const mine = before === undefined ? work() : before.then(work, work);
  turns.set(name, mine);
  try {
    return await mine;
  } finally {
    if (turns.get(name) === mine) turns.delete(name);
  }
}
