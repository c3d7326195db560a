import { addresses } from "../shared/addresses.ts";
import { keys } from "./keys.ts";
import { ReleaseRow } from "./rows.ts";
import { findReleases } from "./read_releases.ts";

/** As many digits of a digest as people copy. */
const DIGEST = /^(?:sha256:)?([0-9a-f]{8,64})$/;
/** As `newRunId` makes them. */
const RUN_ID = /^\d{8}T\d{6}Z-[0-9a-f]{6}$/;

/** Returns the page of the release or the run that a search names exactly; `undefined` for any other text. */
export async function findSearched(kv: Deno.Kv, search: string): Promise<string | undefined> {
  if (RUN_ID.test(search)) {
    for await (const { key } of kv.list({ prefix: keys.runPlaces(search) }, { limit: 1 })) {
      return addresses.run(search, String(key.at(-1)));
    }
  }
  const digits = DIGEST.exec(search)?.[1];
  if (digits === undefined) return undefined;
  const start = keys.release(`sha256:${digits}`);
  const end = keys.release(`sha256:${digits}g`);
  for await (const { key } of kv.list({ start, end }, { limit: 1 })) {
    return addresses.release(String(key.at(-1)));
  }
  return undefined;
}

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

/** Sequences count publishes: more digits than these are no sequence of a person's. */
const SEQUENCE = /^\d{1,9}$/;

/** Returns the releases that a person may mean: by the beginning of a digest, or by their sequence. */
export async function resolveRelease(kv: Deno.Kv, typed: string): Promise<readonly ReleaseRow[]> {
  const text = typed.trim();
  const named = await matchReleases(kv, text);
  if (!SEQUENCE.test(text)) return named;
  const sequence = Number(text);
  const numbered = await findReleases(kv, { row: (row) => row.sequence === sequence }, {
    limit: MATCHES_MAX,
  });
  const known = new Set(named.map(({ digest }) => digest));
  return [...named, ...numbered.rows.map(({ row }) => row).filter(({ digest }) => !known.has(digest))];
}
