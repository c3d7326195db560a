import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { listFolder } from "../../lib/core/folders.ts";

/**
 * Moves what Deno has written into its caches from their logs into the databases. Deno ends without that, and each start
 * would read the logs as a whole first: some megabytes after an install.
 *
 * @param cache the `DENO_DIR` of the installation
 */
export function foldCaches(cache: string): void {
  const names = (listFolder(Deno, cache) ?? []).map(({ name }) => name);
  for (const name of names) {
    if (!names.includes(`${name}-wal`)) continue;
    try {
      using database = new DatabaseSync(join(cache, name));
      database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    } catch {
      // Deno recreates a cache that is damaged. One that a command uses keeps its log.
    }
  }
}
