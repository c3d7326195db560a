import { isLocked } from "./kv_failure.ts";

/** A writer holds SQLite's lock for a few milliseconds. */
const LOCKED_MS = 10;

/** SQLite itself waits 5 s for a lock that another process keeps: waiting for it again and again would take minutes. */
const WAITED_MS = 1_000;

/**
 * Commits an operation and returns whether that worked; `false` is a conflict with another writer. So is the lock of
 * SQLite while another process writes to the file, which Deno may report at once, as an error. The wait for it is one of
 * real time, whatever the dashboard's clock says.
 */
export async function committed(operation: Deno.AtomicOperation): Promise<boolean> {
  const begunMs = performance.now();
  try {
    return (await operation.commit()).ok;
  } catch (error) {
    if (!isLocked(error) || performance.now() - begunMs > WAITED_MS) throw error;
    await new Promise((resolve) => setTimeout(resolve, LOCKED_MS * (1 + Math.random())));
    return false;
  }
}
