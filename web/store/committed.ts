/** A writer holds SQLite's lock for a few milliseconds. */
const LOCKED_MS = 10;

/**
 * Commits an operation and returns whether that worked; `false` is a conflict with another writer. So is the lock of
 * SQLite while another process writes to the file: Deno reports it at once, as an error, instead of waiting for it. The
 * wait for it is one of real time, whatever the dashboard's clock says.
 */
export async function committed(operation: Deno.AtomicOperation): Promise<boolean> {
  try {
    return (await operation.commit()).ok;
  } catch (error) {
    if (!(error instanceof Error) || !/database is locked|database is busy/i.test(error.message)) throw error;
    await new Promise((resolve) => setTimeout(resolve, LOCKED_MS * (1 + Math.random())));
    return false;
  }
}
