import { keys } from "./keys.ts";
import { ReleaseRow } from "./rows.ts";

/** A beginning that more releases share is of no use to a reader. */
export const MATCHES_MAX = 20;

/**
 * Returns the releases whose digest begins as typed, with or without `sha256:`, at most {@link MATCHES_MAX}; none for a
 * text that is not the beginning of a digest.
 */
export async function matchReleases(kv: Deno.Kv, typed: string): Promise<readonly ReleaseRow[]> {
  const digits = beginningOf(typed);
  if (digits === undefined) return [];
  const start = keys.release(`sha256:${digits}`);
  // Behind the last hexadecimal digit.
  const end = keys.release(`sha256:${digits}g`);
  const rows: ReleaseRow[] = [];
  for await (const { value } of kv.list({ start, end }, { limit: MATCHES_MAX })) {
    const row = ReleaseRow.safeParse(value);
    if (row.success) rows.push(row.data);
  }
  return rows;
}

/** Returns the digits of a digest or of its beginning; `undefined` for any other text. */
export function beginningOf(typed: string): string | undefined {
  const digits = typed.trim().toLowerCase().replace(/^sha256:/, "");
  // Shorter beginnings are too easily a typing mistake; `model-sync rollback --to` asks for as many.
  return /^[0-9a-f]{4,64}$/.test(digits) ? digits : undefined;
}
