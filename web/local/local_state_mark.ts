import { join } from "node:path";
import type { Context } from "../../lib/core/context.ts";
import { findEntry } from "../../lib/core/files.ts";
import { listFolder } from "../../lib/core/folders.ts";
import { readDaemons } from "../../lib/store/daemons.ts";
import type { RunMark } from "../../lib/store/running.ts";
import type { Store } from "../../lib/store/store.ts";

/** Files that the dashboard and the delivery of reports change. */
const UNSHOWN: readonly string[] = ["dashboard", "reported.json"];

/** Locks and scratch files. */
const PASSING = /\.(?:lock|new)$/;

/**
 * Returns a text that changes when a file of the store, a daemon or a run changes. Reads only folders, so that the cost
 * does not grow with the size of releases.
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
