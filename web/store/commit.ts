import { alwaysChanged, committed } from "./committed.ts";
import type { Write } from "./event_writes.ts";

/**
 * An atomic operation takes 1,000 mutations and 800 KiB. A group of writes takes up to 570 KiB: a long value and a few
 * rows. So that the last group still fits, an operation is full when it has half.
 */
const MUTATIONS_MAX = 500;
const BYTES_MAX = 400 * 1024;

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
