import { UsageError } from "../../lib/core/errors.ts";
import type * as z from "zod";
import { ABOVE } from "./keys.ts";

/** Rows per page: the most that a person reads and that renders quickly. */
export const PAGE_ROWS_MAX = 200;

/** A part of a list that is sorted by time. */
export interface PageRange {
  /** The maximum number of rows, up to {@link PAGE_ROWS_MAX}. */
  readonly limit: number;
  /** A cursor or a time: only older rows are returned. */
  readonly before?: string | undefined;
}

/** A part of a list, newest first. */
export interface RowPage<Row> {
  readonly rows: readonly Row[];
  /** The `before` of the next page; `undefined` on the last one. */
  readonly older: string | undefined;
}

/** The error code for an invalid cursor. The answer is 400. */
export const CURSOR_INVALID = "CURSOR_INVALID";

/** A cursor has a time, a node of 512 bytes and a run id of 765, percent-encoded. */
const CURSOR_CHARS_MAX = 5_000;
/** Keys have at most 2 KiB, of which the list's own part needs less than 700 bytes. */
const CURSOR_BYTES_MAX = 1_300;

/**
 * Returns the cursor of an entry: the parts of its key after the list's own, joined by commas. It begins with the
 * entry's time, so that people can read and write cursors.
 */
export function cursorOf(key: Deno.KvKey, prefix: Deno.KvKey): string {
  return key.slice(prefix.length).map((part) => encodeURIComponent(String(part)).replaceAll("%3A", ":")).join(
    ",",
  );
}

/**
 * Returns the key parts of a cursor.
 *
 * @param partsMax how many parts the list has; a cursor may have fewer, such as only a time
 * @throws {UsageError} code {@link CURSOR_INVALID}
 */
export function parseCursor(cursor: string, partsMax: number): readonly string[] {
  const parts = cursor.length > CURSOR_CHARS_MAX ? undefined : decodeParts(cursor);
  const [at = ""] = parts ?? [];
  if (
    parts === undefined || parts.length > partsMax || !/^\d{4}-\d\d-\d\dT[\d:.]{5,12}Z$/.test(at) ||
    new TextEncoder().encode(parts.join("")).length > CURSOR_BYTES_MAX
  ) {
    throw new UsageError("Cannot show this page of the list: its cursor is invalid", {
      code: CURSOR_INVALID,
      hint: "start from the first page",
    });
  }
  return parts;
}

function decodeParts(cursor: string): string[] | undefined {
  try {
    return cursor.split(",").map(decodeURIComponent);
  } catch {
    return undefined;
  }
}

/**
 * Returns a page of a list that is sorted by time, newest first.
 *
 * @param after a cursor or a time: only newer rows are returned
 * @throws {UsageError} code {@link CURSOR_INVALID}
 */
export async function readPage<Schema extends z.ZodType>(
  kv: Deno.Kv,
  prefix: Deno.KvKey,
  partsMax: number,
  schema: Schema,
  { limit, before, after }: PageRange & { readonly after?: string | undefined },
): Promise<RowPage<z.infer<Schema>>> {
  const rowsMax = boundedLimit(limit);
  const start = after === undefined ? prefix : [...prefix, ...parseCursor(after, partsMax), ABOVE];
  const end = [...prefix, ...(before === undefined ? [ABOVE] : parseCursor(before, partsMax))];
  const rows: z.infer<Schema>[] = [];
  const options = { reverse: true, limit: rowsMax + 1, batchSize: rowsMax + 1 };
  let [last, count]: [Deno.KvKey | undefined, number] = [undefined, 0];
  for await (const { key, value } of kv.list({ start, end }, options)) {
    if (++count > rowsMax) return { rows, older: last === undefined ? undefined : cursorOf(last, prefix) };
    last = key;
    const row = schema.safeParse(value);
    if (row.success) rows.push(row.data);
  }
  return { rows, older: undefined };
}

function boundedLimit(limit: number): number {
  return Number.isFinite(limit) ? Math.min(Math.max(Math.floor(limit), 1), PAGE_ROWS_MAX) : PAGE_ROWS_MAX;
}
