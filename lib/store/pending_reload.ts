import { join } from "node:path";
import * as z from "zod";
import { StateFile } from "../core/state_file.ts";
import { Digest } from "../release/manifest.ts";
import { withReserve } from "./reserve.ts";
import type { Store } from "./store.ts";

const PendingReload = z.object({
  /** The release that is being activated, or rolled back. */
  digest: Digest.nullable(),
  /** The release that is active if that one is not. */
  previous: Digest.nullable(),
});
/**
 * A change of the active release of which consumers are not notified yet. It ends with `digest` active if the
 * activation succeeds and the release stays, else with `previous`.
 */
export type PendingReload = Readonly<z.infer<typeof PendingReload>>;

function pendingFile({ fs, root }: Store): StateFile<PendingReload> {
  return new StateFile<PendingReload>(fs, join(root, "pending_reload.json"), PendingReload);
}

/** Writes it durably, before the pointers move. If the run is killed before it notifies consumers, the next run does. */
export function writePendingReload(store: Store, pending: PendingReload): void {
  withReserve(store, () => pendingFile(store).replace(pending));
}

/** Returns the pending notification of an earlier run; `undefined` without one. */
export function readPendingReload(store: Store): PendingReload | undefined {
  const file = pendingFile(store);
  const read = file.read();
  if (read.kind === "none") return undefined;
  if (read.kind === "found") return read.value;
  // Damaged by hand or by the disk. A notification was pending; consumers may get it twice.
  store.warn(`${file.path} is damaged (${read.reason}): consumers are notified once more`);
  return { digest: null, previous: null };
}

export function clearPendingReload(store: Store): void {
  pendingFile(store).remove();
}
