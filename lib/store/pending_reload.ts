import { join } from "node:path";
import { z } from "zod";
import { StateFile } from "../core/state_file.ts";
import { Digest } from "../release/manifest.ts";
import { withReserve } from "./reserve.ts";
import type { Store } from "./store.ts";

const PendingReload = z.object({
  /** The release that is activated, or left, just now. */
  digest: Digest.nullable(),
  /** What is active if it is not that one. */
  previous: Digest.nullable(),
});
/**
 * The active release is being changed, and consumers do not know yet how it ends: with `digest`, where it was
 * activated and stays, or with another one.
 */
export type PendingReload = Readonly<z.infer<typeof PendingReload>>;

function pendingFile({ fs, root }: Store): StateFile<PendingReload> {
  return new StateFile<PendingReload>(fs, join(root, "pending_reload.json"), PendingReload);
}

/** Written durably before the pointers move: whoever is killed before consumers know leaves it to the next run. */
export function writePendingReload(store: Store, pending: PendingReload): void {
  withReserve(store, () => pendingFile(store).replace(pending));
}

/** What an earlier run did not come to tell; `undefined` when consumers know all. */
export function readPendingReload(store: Store): PendingReload | undefined {
  const file = pendingFile(store);
  const read = file.read();
  if (read.kind === "none") return undefined;
  if (read.kind === "found") return read.value;
  // Damaged by hand or disk. A notification was pending, and consumers may get one twice.
  store.warn(`${file.path} is damaged (${read.reason}): consumers are notified once more`);
  return { digest: null, previous: null };
}

export function clearPendingReload(store: Store): void {
  pendingFile(store).remove();
}
