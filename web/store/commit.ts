import { committed } from "./committed.ts";
import type { Write } from "./event_writes.ts";

/** An atomic operation takes 1,000 mutations and about 800 KiB; both halved, because sizes are estimates. */
const MUTATIONS_MAX = 500;
const BYTES_MAX = 400 * 1024;

/** What an entry of the database is guarded by: unchanged since it was read, or not there. */
export interface Guard {
  readonly key: Deno.KvKey;
  readonly versionstamp: string | null;
}

/** Writes values that stay the same when they are written again, in as many atomic operations as they need. */
export async function writeAll(kv: Deno.Kv, writes: readonly Write[]): Promise<void> {
  let operation = kv.atomic();
  let [mutations, bytes] = [0, 0];
  for (const write of writes) {
    if (mutations === MUTATIONS_MAX || bytes + write.bytes > BYTES_MAX) {
      await commitUnguarded(operation);
      operation = kv.atomic();
      [mutations, bytes] = [0, 0];
    }
    operation.set(write.key, write.value);
    mutations++;
    bytes += write.bytes;
  }
  if (mutations > 0) await commitUnguarded(operation);
}

/** It conflicts with nothing, but waits for the lock of a database in a file. */
async function commitUnguarded(operation: Deno.AtomicOperation): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    if (await committed(operation)) return;
  }
  throw new Error(BUSY);
}

/** Attempts at a change that other instances change meanwhile. An attempt fails because another one succeeded or is written. */
const ATTEMPTS_MAX = 50;
const BUSY = "the database is changed by others all the time";

/**
 * Changes entries by compare-and-set: reads, asks for the change, and commits it if nothing that was read has changed
 * meanwhile; else again. `change` returns `undefined` where nothing is to be done.
 *
 * @throws {Error} when other writers are always faster
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
  throw new Error(BUSY);
}
