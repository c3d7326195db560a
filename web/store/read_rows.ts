import type * as z from "zod";

/** The database's limits for a batch of a list, and for the keys of one read. */
const BATCH_MAX = 500;
const KEYS_MAX = 10;

/** Returns the rows under a prefix that match the schema, in the order of their keys: at most `rowsMax`. */
export async function readRows<Schema extends z.ZodType>(
  kv: Deno.Kv,
  prefix: Deno.KvKey,
  schema: Schema,
  rowsMax: number,
): Promise<z.infer<Schema>[]> {
  const rows: z.infer<Schema>[] = [];
  const options = { limit: rowsMax, batchSize: Math.min(rowsMax, BATCH_MAX) };
  for await (const { value } of kv.list({ prefix }, options)) {
    const row = schema.safeParse(value);
    if (row.success) rows.push(row.data);
  }
  return rows;
}

/** Returns the rows under these keys that match the schema, in the order of the keys. */
export async function readRowsOf<Schema extends z.ZodType>(
  kv: Deno.Kv,
  wanted: readonly Deno.KvKey[],
  schema: Schema,
): Promise<z.infer<Schema>[]> {
  const groups = Array.from(
    { length: Math.ceil(wanted.length / KEYS_MAX) },
    (_, index) => wanted.slice(index * KEYS_MAX, (index + 1) * KEYS_MAX),
  );
  const entries = await Promise.all(groups.map((group) => kv.getMany<unknown[]>(group)));
  return entries.flat().flatMap(({ value }) => {
    const row = schema.safeParse(value);
    return row.success ? [row.data] : [];
  });
}
