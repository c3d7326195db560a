import { UsageError } from "../../lib/core/errors.ts";
import type { z } from "zod";
import { ABOVE } from "./keys.ts";

/** Rows of one page: more is neither read by a person nor rendered in time. */
export const PAGE_ROWS_MAX = 200;

/** Which part of a list that is sorted by time. */
export interface PageRange {
  /** How many rows at most, up to {@link PAGE_ROWS_MAX}. */
  readonly limit: number;
  /** A cursor, or a time: only what is older. */
  readonly before?: string | undefined;
}

/** A part of a list, newest first. */
export interface RowPage<Row> {
  readonly rows: readonly Row[];
  /** The `before` of the next page; `undefined` on the last one. */
  readonly older: string | undefined;
}

/** The code of the error for a cursor that is not one: the answer is 400. */
export const CURSOR_INVALID = "CURSOR_INVALID";

/** The parts of a key: a time, a node of 512 bytes and a run id of 765, with room for their escapes. */
const CURSOR_CHARS_MAX = 5_000;
/** Keys have 2 KiB; the list's own part takes less than 700 bytes. */
const CURSOR_BYTES_MAX = 1_300;

/**
 * Returns the cursor of an entry: the parts of its key that follow the list's, joined by commas. It begins with the
 * entry's time, so that people can read and write one.
 */
export function cursorOf(key: Deno.KvKey, prefix: Deno.KvKey): string {
  return key.slice(prefix.length).map((part) => encodeURIComponent(String(part)).replaceAll("%3A", ":")).join(
    ",",
  );
}

/**
 * Returns the key parts that a cursor stands for.
 *
 * @param partsMax how many the list has; a cursor may have only the first ones: a time alone
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
 * @param after a cursor, or a time: only what is newer
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
