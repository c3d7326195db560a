import { join } from "node:path";
import type { Context } from "../core/context.ts";
import { findEntry, removeTree } from "../core/files.ts";
import { sha256Hex } from "../core/hash.ts";
import type { Store } from "./store.ts";

/** A partial download that no pull continued for a week belongs to a release that is no longer wanted. */
const PARTIAL_AGE_MS_MAX = 7 * 24 * 3_600_000;

/** Returns the path of a partial download. Downloads of the same name continue each other: name the content, not the attempt. */
export async function partialPath(store: Store, name: string): Promise<string> {
  return join(store.partials, (await sha256Hex(name)).slice(0, 32));
}

/** Removes partial downloads: all of them after a release was pulled, else only the old ones. */
export async function sweepPartials(
  { clock }: Pick<Context, "clock">,
  store: Store,
  which: "all" | "old",
): Promise<void> {
  for (const entry of store.fs.readDirSync(store.partials)) {
    const path = join(store.partials, entry.name);
    const writtenMs = findEntry(store.fs, path)?.mtime?.getTime() ?? 0;
    const isOld = Math.abs(clock.now().getTime() - writtenMs) > PARTIAL_AGE_MS_MAX;
    if (which === "all" || isOld) await removeTree(store.fs, path);
  }
}
