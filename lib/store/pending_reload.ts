import { join } from "node:path";
import { z } from "zod";
import { findText, removeIfThere, replaceFile } from "../core/files.ts";
import { Digest } from "../release/manifest.ts";
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
  replaceFile(store.fs, pathOf(store), `${JSON.stringify(pending)}\n`);
}

/** What an earlier run did not come to tell; `undefined` when consumers know all. */
export function readPendingReload(store: Store): PendingReload | undefined {
  const text = findText(store.fs, pathOf(store));
  if (text === undefined) return undefined;
  try {
    return PendingReload.parse(JSON.parse(text));
  } catch {
    // Damaged by hand or disk. That something was to be told is known, and telling twice does no harm.
    return { digest: null, previous: null };
  }
}

export function clearPendingReload(store: Store): void {
  removeIfThere(store.fs, pathOf(store));
}
