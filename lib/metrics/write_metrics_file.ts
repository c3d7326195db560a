import { dirname, sep } from "node:path";
import { diskError, UsageError } from "../core/errors.ts";
import {
  entryKind,
  type FileSystem,
  findEntry,
  findText,
  ifFound,
  READABLE_MODE,
  replaceFile,
} from "../core/files.ts";
import { systemFault } from "../core/system_fault.ts";
import type { Store } from "../store/store.ts";

/** A file of metrics has some 20 KiB for each command that runs. */
const FILE_BYTES_MAX = 1024 * 1024;

/**
 * Returns why a metrics file may not be where it is: inside the store or the models folder, whose files are those of
 * releases; `undefined` where it may.
 */
export function metricsFileObstacle(
  fs: FileSystem,
  path: string,
  { root, modelsDir }: Pick<Store, "root" | "modelsDir">,
): string | undefined {
  const folder = realFolder(fs, dirname(path));
  const isIn = (parent: string) => folder === parent || folder.startsWith(parent + sep);
  if (isIn(modelsDir) || isIn(realFolder(fs, modelsDir))) {
    return `it is inside the models folder ${modelsDir}`;
  }
  return isIn(root) ? `it is inside the store ${root}` : undefined;
}

/** Without links; a folder that is not there is where it would be. */
function realFolder(fs: FileSystem, path: string): string {
  return ifFound(() => fs.realPathSync(path)) ?? path;
}

/**
 * Writes the text of a store's metrics where node_exporter's textfile collector reads it. A reader sees the old text or
 * the new one, never a part: the scratch file beside it does not end in `.prom`, which is all that the collector reads.
 *
 * @returns the `store` label of the metrics that were replaced, where they are another store's: both write one file
 * @throws {UsageError} code `METRICS_FILE` when there is no such folder, no file in the file's place, or the place is the store's; whatever else the disk refuses, as a DiskError
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

/** The label as the text has it, with its escapes. */
function storeOf(text: string): string | undefined {
  return /\{store="((?:[^"\\]|\\.)*)"/.exec(text)?.[1];
}
