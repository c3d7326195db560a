import type { Context } from "../../lib/core/context.ts";
import { DiskError } from "../../lib/core/errors.ts";
import { quote } from "../../lib/core/quote.ts";

/** How often the file is checked. Each check reads one directory entry. */
const LOOK_MS = 1_000;

/**
 * Checks that the opened database file is still in place, until the context's signal is aborted. An open file remains
 * usable after it is removed: without this check, a dashboard whose store was removed would write into a database that
 * is lost when it ends.
 *
 * @param path `undefined` for a database that is not a file
 * @throws {DiskError} codes `DATABASE_REMOVED` and `DATABASE_REPLACED`
 */
export async function watchKvFile(
  { fs, clock, signal }: Pick<Context, "fs" | "clock" | "signal">,
  path: string | undefined,
): Promise<void> {
  if (path === undefined) return;
  let opened: string | undefined;
  while (!signal.aborted) {
    const found = identify(fs, path);
    if (found === "removed") {
      throw lost("REMOVED", `Cannot keep the dashboard's database ${quote(path)}: it was removed`);
    }
    opened ??= found;
    if (found !== undefined && found !== opened) {
      throw lost(
        "REPLACED",
        `Cannot keep the dashboard's database ${quote(path)}: another file took its place`,
      );
    }
    await clock.sleep(LOOK_MS, signal).catch(() => {});
  }
}

/** @returns `undefined` if the disk does not answer at the moment */
function identify(fs: Context["fs"], path: string): string | undefined {
  try {
    const { dev, ino } = fs.statSync(path);
    return `${dev} ${ino}`;
  } catch (error) {
    return error instanceof Deno.errors.NotFound ? "removed" : undefined;
  }
}

function lost(what: "REMOVED" | "REPLACED", message: string): DiskError {
  return new DiskError(`${message} while the dashboard ran`, {
    code: `DATABASE_${what}`,
    hint:
      "restart the dashboard: it reads this machine's history again; --kv puts the database outside the store",
  });
}
