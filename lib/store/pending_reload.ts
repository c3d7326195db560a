import { join } from "node:path";
import { z } from "zod";
import { replaceFile } from "../core/files.ts";
import { readJsonFile } from "../core/json_file.ts";
import { clearWay, removeState } from "../core/set_aside.ts";
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

function pathOf(store: Store): string {
  return join(store.root, "pending_reload.json");
}

/** Written durably before the pointers move: whoever is killed before consumers know leaves it to the next run. */
export function writePendingReload(store: Store, pending: PendingReload): void {
  withReserve(store, () => {
    clearWay(store.fs, pathOf(store));
    replaceFile(store.fs, pathOf(store), `${JSON.stringify(pending)}\n`);
  });
}

/** What an earlier run did not come to tell; `undefined` when consumers know all. */
export function readPendingReload(store: Store): PendingReload | undefined {
  const read = readJsonFile(store.fs, pathOf(store), PendingReload);
  if (read.kind === "none") return undefined;
  if (read.kind === "found") return read.value;
  // Damaged by hand or disk. A notification was pending, and consumers may get one twice.
  store.warn(`${pathOf(store)} is damaged (${read.reason}): consumers are notified once more`);
  return { digest: null, previous: null };
}

export function clearPendingReload(store: Store): void {
  removeState(store.fs, pathOf(store));
}
