import { dirname, sep } from "node:path";
import { diskError, UsageError } from "../core/errors.ts";
import { entryKind, type FileSystem, findEntry, findText, ifFound, READABLE_MODE } from "../core/files.ts";
import { replaceFile } from "../core/replace_file.ts";
import { systemFault } from "../core/system_fault.ts";
import type { Store } from "../store/store.ts";

/** The largest metrics file that is read. It has about 20 KiB for each command. */
const FILE_BYTES_MAX = 1024 * 1024;

/**
 * Returns why a metrics file must not have this path, such as one in the store or the model folder, which hold only
 * files of releases; `undefined` for a usable path.
 */
export function metricsFileObstacle(
  fs: FileSystem,
  path: string,
  { root, modelsDir }: Pick<Store, "root" | "modelsDir">,
): string | undefined {
  const folder = realFolder(fs, dirname(path));
  const isIn = (parent: string) => folder === parent || folder.startsWith(parent + sep);
  if (isIn(modelsDir) || isIn(realFolder(fs, modelsDir))) {
    return `it is inside the model folder ${modelsDir}`;
  }
  return isIn(root) ? `it is inside the store ${root}` : undefined;
}

/** Returns a path without links; the path itself where there is no such folder. */
function realFolder(fs: FileSystem, path: string): string {
  return ifFound(() => fs.realPathSync(path)) ?? path;
}

/**
 * Writes the text of a store's metrics where node_exporter's textfile collector reads it. A reader sees the old or the
 * new text, never a part: the scratch file beside it does not end in `.prom`, so the collector ignores it.
 *
 * @returns the `store` label of the replaced metrics, if they are another store's: then two stores write one file
 * @throws {UsageError} code `METRICS_FILE` when the folder is missing, the path is not a file, or it is in the store;
 * {@link DiskError}
 */
export function writeMetricsFile(
  fs: FileSystem,
  path: string,
  text: string,
  store: Pick<Store, "root" | "modelsDir">,
): string | undefined {
  const folder = ifFound(() => fs.statSync(dirname(path)));
  if (folder?.isDirectory !== true) {
    throw unusable(path, `${dirname(path)} ${folder === undefined ? "does not exist" : "is not a folder"}`);
  }
  const obstacle = metricsFileObstacle(fs, path, store);
  if (obstacle !== undefined) throw unusable(path, obstacle);
  const found = findEntry(fs, path);
  // Renaming over a device or a link would replace it.
  if (found?.isFile === false) throw unusable(path, `it is ${entryKind(found)}, not a file`);
  try {
    const replaced = storeOf(findText(fs, path, FILE_BYTES_MAX) ?? "");
    replaceFile(fs, path, text, READABLE_MODE);
    return replaced === storeOf(text) ? undefined : replaced;
  } catch (error) {
    const action = `write the metrics file ${path}`;
    throw systemFault(diskError(error, action), action);
  }
}

function unusable(path: string, reason: string): UsageError {
  return new UsageError(`Cannot write the metrics file ${path}: ${reason}`, {
    code: "METRICS_FILE",
    hint: "create the folder that node_exporter reads, or set report.metrics_file to another path",
  });
}

/** Returns the `store` label in a text, with its escapes. */
function storeOf(text: string): string | undefined {
  return /\{store="((?:[^"\\]|\\.)*)"/.exec(text)?.[1];
}
