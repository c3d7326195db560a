import type { Context } from "../core/context.ts";
import { LockedError, messageOf } from "../core/errors.ts";
import type { Announcement } from "../store/daemons.ts";
import { openStore, type Store } from "../store/store.ts";

/**
 * Returns a function that restores the announcement of a daemon, and its store, where they were removed. A failure is
 * logged once.
 *
 * The function throws {@link LockedError} code `DAEMON_RUNNING` when another daemon has taken one of the roles
 * meanwhile.
 */
export function announcementKeeper(
  { fs, log }: Pick<Context, "fs" | "log">,
  store: Store,
  announcement: Announcement,
): () => Promise<void> {
  let lastFault = "";
  return async () => {
    try {
      if (!announcement.isSeen()) {
        openStore(fs, { modelsDir: store.modelsDir, stateDir: store.root }, log);
        await announcement.renew("keep");
        log.warn(`the store ${store.root} was removed, or the daemon's lock in it; the daemon continues`);
      }
      lastFault = "";
    } catch (error) {
      if (error instanceof LockedError) throw error;
      const fault = messageOf(error);
      if (fault !== lastFault) log.warn(fault);
      lastFault = fault;
    }
  };
}
