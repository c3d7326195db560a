import type { z } from "zod";

/** What the database gives at once. */
const BATCH_MAX = 500;

/** Returns the rows under a prefix that are of the schema, in the order of their keys: the first `rowsMax` of them. */
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
