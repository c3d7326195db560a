import { UsageError } from "../lib/core/errors.ts";
import { findStore, openStore, type Store } from "../lib/store/store.ts";
import type { Session } from "./_command.ts";

/**
 * The store of a command that works on what an earlier pull left. Making an empty one would only hide a wrong path.
 *
 * @throws {UsageError} code `STORE_MISSING`
 */
export function openExistingStore(session: Session): Store {
  requireStore(session);
  return openStore(session.context.fs, session.location, session.context.log);
}

/** As {@link openExistingStore} for a command that changes nothing. */
export function requireStore(session: Session): Store {
  const store = findStore(session.context.fs, session.location, session.context.log);
  if (store !== undefined) return store;
  throw new UsageError(
    `Cannot find a store for ${session.location.modelsDir}: nothing was pulled there yet`,
    {
      code: "STORE_MISSING",
      hint: "run model-sync pull first, or name the folder with --models-dir or --state-dir",
    },
  );
}
