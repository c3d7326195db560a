import { dirname, join } from "node:path";
import type { Context } from "../core/context.ts";
import { findText, ifFound, removeTree } from "../core/files.ts";
import { tryLock } from "../core/lock.ts";
import { findRunning } from "./running.ts";
import { stateDirOf, type Store, type StoreLocation } from "./store.ts";

/** State of a failed first pull that is kept: models, partial downloads, a paid job, a refusal. */
const KEPT_FOLDERS = ["releases", "partials"] as const;
const KEPT_FILES = ["runpod_jobs.json", "quarantine.json", "withdrawals.json"] as const;

/** A failed job that is forgotten leaves `{}`. */
function isEmptyState(text: string | undefined): boolean {
  return text === undefined || /^\s*(?:\{\s*\}|\[\s*\])\s*$/.test(text);
}

/**
 * Returns whether the folder that will hold the store is empty or missing. A folder that cannot be listed counts as used.
 */
export function isUnused({ fs }: Pick<Context, "fs">, location: StoreLocation): boolean {
  try {
    return ifFound(() => fs.readDirSync(dirname(stateDirOf(fs, location)))[Symbol.iterator]().next().done) ??
      true;
  } catch {
    return false;
  }
}

/** Removes the store that a failed first pull created in an unused folder, unless it holds state that is kept. */
export async function removeUnused({ fs }: Pick<Context, "fs">, store: Store): Promise<void> {
  const holdsFiles = KEPT_FOLDERS.some((name) => Array.from(fs.readDirSync(store[name])).length > 0);
  const holdsState = KEPT_FILES.some((name) => !isEmptyState(findText(fs, join(store.root, name))));
  if (holdsFiles || holdsState) return;
  const lock = await tryLock(fs, store.lock);
  if (lock === "locked") return;
  using _lock = lock === "none" ? undefined : lock;
  if ((await findRunning(store)).length > 0) return;
  await removeTree(fs, store.root);
}
