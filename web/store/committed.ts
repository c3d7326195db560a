/** A writer holds SQLite's lock for a few milliseconds. */
const LOCKED_MS = 10;

/** SQLite itself waits five seconds for the lock of a program that keeps it: trying again would take as long each time. */
const KEPT_MS = 4_000;

/**
 * Commits an operation and returns whether that worked; `false` is a conflict with another writer. So is the lock of
 * SQLite while another process writes to the file: Deno reports it at once, as an error, instead of waiting for it. The
 * wait for it is one of real time, whatever the dashboard's clock says.
 *
 * @throws {TypeError} when the database cannot be written, or another program keeps its lock for seconds
 */
export async function committed(operation: Deno.AtomicOperation): Promise<boolean> {
  const startMs = performance.now();
  try {
    return (await operation.commit()).ok;
  } catch (error) {
    if (!isLocked(error) || performance.now() - startMs > KEPT_MS) throw error;
    await new Promise((resolve) => setTimeout(resolve, LOCKED_MS * (1 + Math.random())));
    return false;
  }
}

function isLocked(error: unknown): boolean {
  return error instanceof Error && /database is (locked|busy)/i.test(error.message);
}
