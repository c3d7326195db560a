import { dirname } from "node:path";
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

/** A file of metrics has some 20 KiB for each command that runs. */
const FILE_BYTES_MAX = 1024 * 1024;

/**
 * Writes the text of a store's metrics where node_exporter's textfile collector reads it. A reader sees the old text or
 * the new one, never a part: the scratch file beside it does not end in `.prom`, which is all that the collector reads.
 *
 * @returns the `store` label of the metrics that were replaced, where they are another store's: both write one file
 * @throws {UsageError} code `METRICS_FILE` when there is no such folder, or no file in the file's place; whatever else the disk refuses, as a DiskError
 */
export function writeMetricsFile(fs: FileSystem, path: string, text: string): string | undefined {
  const folder = ifFound(() => fs.statSync(dirname(path)));
  if (folder?.isDirectory !== true) {
    throw unusable(path, `${dirname(path)} ${folder === undefined ? "does not exist" : "is not a folder"}`);
  }
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
