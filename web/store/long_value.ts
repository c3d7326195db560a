import * as z from "zod";
import { parseJson } from "../../lib/core/json.ts";

/**
 * Values that may exceed the 64 KiB of a database value, stored as JSON in parts under one key. One atomic operation
 * writes all parts, so that readers see a consistent value.
 */

/** Size of a part. The database allows 64 KiB, which also include the count of parts. */
const PART_BYTES_MAX = 60 * 1024;

/** A node's event has at most 512 KiB. All parts and the other writes fit into one atomic operation of 800 KiB. */
const PARTS_MAX = 9;

/**
 * How values are cut that are larger than any that model-sync sends: the longest texts and lists that are kept. Tried
 * in order until the value fits.
 */
const CUTS = [{ chars: 1_000, items: 100 }, { chars: 300, items: 20 }, { chars: 100, items: 5 }] as const;

const Part = z.object({ parts: z.number().int().min(1).max(PARTS_MAX), bytes: z.instanceof(Uint8Array) });
type Part = z.infer<typeof Part>;

/** One write of a part. */
export interface PartWrite {
  readonly key: Deno.KvKey;
  readonly value: Part;
  /** For the limit of an atomic operation. */
  readonly bytes: number;
}

/** Returns whether a value is stored whole. */
export function fitsWhole(value: unknown): boolean {
  return encoded(value).length <= PARTS_MAX * PART_BYTES_MAX;
}

/** Returns the writes of a value. Texts and lists of a value that is too large are cut. */
export function longValueWrites(key: Deno.KvKey, value: unknown): PartWrite[] {
  const bytes = fitting(value);
  const parts = Math.max(1, Math.ceil(bytes.length / PART_BYTES_MAX));
  return Array.from({ length: parts }, (_, index) => {
    // A copy, because the database is sent the whole buffer behind a view.
    const piece = bytes.slice(index * PART_BYTES_MAX, (index + 1) * PART_BYTES_MAX);
    return { key: [...key, index], value: { parts, bytes: piece }, bytes: piece.length };
  });
}

function fitting(value: unknown): Uint8Array {
  let bytes = encoded(value);
  for (const cut of CUTS) {
    if (bytes.length <= PARTS_MAX * PART_BYTES_MAX) return bytes;
    bytes = encoded(shortened(value, cut));
  }
  return bytes;
}

function encoded(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

/** The wire's schemas have no lower bounds for texts and lists, so the cut value is still valid. */
function shortened(value: unknown, cut: { readonly chars: number; readonly items: number }): unknown {
  if (typeof value === "string") return value.slice(0, cut.chars).toWellFormed();
  if (Array.isArray(value)) return value.slice(0, cut.items).map((item) => shortened(item, cut));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, shortened(part, cut)]));
}

/** Returns the parsed value under a key; `undefined` if it is missing, incomplete or invalid. */
export async function readLongValue<Schema extends z.ZodType>(
  kv: Deno.Kv,
  key: Deno.KvKey,
  schema: Schema,
): Promise<z.infer<Schema> | undefined> {
  const parts: Part[] = [];
  for await (const entry of kv.list({ prefix: key }, { limit: PARTS_MAX, batchSize: PARTS_MAX })) {
    const part = Part.safeParse(entry.value);
    if (!part.success) return undefined;
    parts.push(part.data);
  }
  // The end of a longer earlier value may still be there.
  const wanted = parts.slice(0, parts[0]?.parts ?? 0);
  if (wanted.length === 0 || wanted.length !== parts[0]?.parts) return undefined;
  const bytes = new Uint8Array(wanted.reduce((sum, { bytes }) => sum + bytes.length, 0));
  let offset = 0;
  for (const part of wanted) {
    bytes.set(part.bytes, offset);
    offset += part.bytes.length;
  }
  const value = schema.safeParse(parseJson(new TextDecoder().decode(bytes)));
  return value.success ? value.data : undefined;
}
