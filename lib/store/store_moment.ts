import { join } from "node:path";
import type { Context } from "../core/context.ts";
import { type FileSystem, findEntry } from "../core/files.ts";
import { isLocked } from "../core/lock.ts";
import type { Digest } from "../release/manifest.ts";
import { readIntent } from "./intent.ts";
import { releaseDir } from "./releases.ts";
import type { Store } from "./store.ts";

/** What identifies the active release on the disk; differs between two moments if another run replaced it. */
export type StoreMoment = string;

/** Returns the present moment of a release that a reader without the lock works on. */
export function momentOf(store: Store, digest: Digest): StoreMoment {
  const { fs, root, modelsDir } = store;
  const release = releaseDir(store, digest);
  return [join(root, "current"), modelsDir, release, `${release}.json`, `${release}.sig`]
    .map((path) => identityOf(fs, path)).join("\n");
}

/** Changes with every rename over a path; a folder's time also changes when an entry of it is added, which is none. */
function identityOf(fs: FileSystem, path: string): string {
  const info = findEntry(fs, path);
  if (info === undefined) return "none";
  return [info.dev, info.ino, info.isDirectory ? "" : info.mtime?.getTime()].join(" ");
}

/**
 * Returns whether what a reader found may be another run's doing: the release is not what it was at `before`, or a run
 * is moving pointers and files right now. What a killed run left is not: its lock is free.
 */
export async function isChanging(
  context: Context,
  store: Store,
  digest: Digest,
  before: StoreMoment,
): Promise<boolean> {
  if (momentOf(store, digest) !== before) return true;
  const intent = readIntent(store);
  return intent !== undefined && intent.phase !== "preparing" &&
    await isLocked(context.fs, store.lock);
}
