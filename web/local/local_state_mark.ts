import { join } from "node:path";
import type { Context } from "../../lib/core/context.ts";
import { findEntry } from "../../lib/core/files.ts";
import { listFolder } from "../../lib/core/folders.ts";
import { readDaemons } from "../../lib/store/daemons.ts";
import type { RunMark } from "../../lib/store/running.ts";
import type { Store } from "../../lib/store/store.ts";

/** What the dashboard and deliveries of reports change themselves. */
const UNSHOWN: readonly string[] = ["dashboard", "reported.json"];

/** Locks, and files that are about to get their name. */
const PASSING = /\.(?:lock|new)$/;

/**
 * Returns a text that changes when the state of a store changes: one of its files, the running daemons or runs. Reads
 * folders and no content, so that it costs the same however large the releases are.
 */
export async function localStateMark(
  context: Pick<Context, "fs">,
  store: Store,
  running: readonly RunMark[],
): Promise<string> {
  const { fs, root, modelsDir } = store;
  const names = (listFolder(fs, root) ?? []).map(({ name }) => name)
    .filter((name) => !UNSHOWN.includes(name) && !PASSING.test(name));
  const entries = [...names.sort().map((name) => join(root, name)), modelsDir].map((path) => {
    const info = findEntry(fs, path);
    return [path, info?.ino, info?.size, info?.mtime?.getTime()];
  });
  const runs = running.map(({ runId, step }) => [runId, step]);
  return JSON.stringify([entries, runs, await readDaemons(context, store)]);
}
