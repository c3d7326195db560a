import type { CanaryMetric } from "../config/sections/canary.ts";
import type { Context } from "../core/context.ts";
import { decodeUtf8 } from "../core/decode_utf8.ts";
import { absolutePath, ifFound } from "../core/files.ts";
import { readAt } from "../core/read_at.ts";
import { noData, type Reading, readJsonNumber } from "./reading.ts";

/** The largest file that is read: statistics, not a log. */
const FILE_BYTES_MAX = 1024 * 1024;

/**
 * Returns the number in a file, whatever its age. Its writer should replace it by a rename: half a file is no data.
 * Needs read permission.
 *
 * @throws the error of the system when the file cannot be read
 */
export function sampleFile(
  { fs }: Context,
  metric: CanaryMetric & { readonly type: "file" },
): Reading {
  const path = absolutePath(fs, metric.path);
  const entry = ifFound(() => fs.statSync(path));
  if (entry === undefined) return noData(`there is no file ${path}`);
  // Reading a pipe would wait, reading a device would not end.
  if (!entry.isFile) return noData(`${path} is not a file`);
  using file = fs.openSync(path, { read: true });
  const bytes = readAt(file, 0, FILE_BYTES_MAX + 1);
  if (bytes.length > FILE_BYTES_MAX) return noData(`${path} is longer than ${FILE_BYTES_MAX} bytes`);
  const text = decodeUtf8(bytes);
  return text === undefined ? noData(`${path} is not UTF-8`) : readJsonNumber(text, metric.query);
}
