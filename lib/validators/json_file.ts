import type { Context } from "../core/context.ts";
import { readAt } from "../core/read_at.ts";
import type { ModelFile } from "./checker.ts";
import { FormatProblem, InvalidModelError, orProblem } from "./invalid_model.ts";
import { JsonCursor, type NonFinite } from "./json_cursor.ts";
import { openModel } from "./open_model.ts";

/** Takes half a second to scan. Larger files are data, which the digest protects. */
const JSON_BYTES_MAX = 64 * 1024 * 1024;

const MARK_BYTES = 3;

/**
 * Checks that a `.json` file is JSON: UTF-8, one value, at most a thousand levels deep. A byte order mark and the numbers
 * NaN and Infinity pass with a warning, because some programs read them. Files over 64 MiB are not checked. Needs read
 * permission.
 *
 * @throws {InvalidModelError}
 */
export function inspectJson(context: Context, file: ModelFile): void {
  if (file.size > JSON_BYTES_MAX) {
    context.log.info(
      `${file.path}: not checked, because ${file.size} bytes of JSON are more than ${JSON_BYTES_MAX}`,
    );
    return;
  }
  const found = orProblem(() => walk(context, file));
  if (found instanceof FormatProblem) {
    throw new InvalidModelError(file.path, `it is not JSON: ${found.message}`);
  }
  if (found.count === 0) return;
  const more = found.count === 1 ? "" : ` (and ${found.count - 1} more)`;
  context.log.warn(
    `${file.path}: NaN or Infinity at ${found.firstPlace}${more}: Python reads it, most other programs do not`,
  );
}

function walk(context: Context, file: ModelFile): NonFinite {
  using opened = openModel(context.fs, file);
  const mark = readAt(opened, 0, MARK_BYTES);
  if (mark.length === 0) throw new FormatProblem("it is empty");
  const hasMark = mark[0] === 0xef && mark[1] === 0xbb && mark[2] === 0xbf;
  if (hasMark) {
    context.log.warn(`${file.path}: it begins with a byte order mark, which Python's json module refuses`);
  }
  if ((mark[0] === 0xff && mark[1] === 0xfe) || (mark[0] === 0xfe && mark[1] === 0xff)) {
    throw new FormatProblem("it is UTF-16, expected UTF-8");
  }
  const offset = hasMark ? MARK_BYTES : 0;
  const cursor = new JsonCursor(opened, { offset, length: file.size - offset, allowsNonFinite: true });
  cursor.skipValue();
  cursor.expectEnd();
  return cursor.nonFinite;
}
