import { addresses } from "../shared/addresses.ts";
import { keys } from "./keys.ts";
import { ReleaseRow } from "./rows.ts";
import { findReleases } from "./read_releases.ts";

/** A digest, or the digits that people copy from a page. */
const DIGEST = /^(?:sha256:)?([0-9a-f]{8,64})$/;
/** The format of `newRunId`. */
const RUN_ID = /^\d{8}T\d{6}Z-[0-9a-f]{6}$/;

/** Returns the address of the release or run that a search names exactly; `undefined` otherwise. */
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

/** Matches that a reader can choose from. */
const MATCHES_MAX = 20;

/**
 * Returns the releases whose digest begins with the typed digits, with or without `sha256:`: at most
 * {@link MATCHES_MAX}, and none if the text is not the beginning of a digest.
 */
async function matchReleases(kv: Deno.Kv, typed: string): Promise<readonly ReleaseRow[]> {
  const digits = beginningOf(typed);
  if (digits === undefined) return [];
  const start = keys.release(`sha256:${digits}`);
  // `g` sorts after the last hexadecimal digit.
  const end = keys.release(`sha256:${digits}g`);
  const rows: ReleaseRow[] = [];
  for await (const { value } of kv.list({ start, end }, { limit: MATCHES_MAX })) {
    const row = ReleaseRow.safeParse(value);
    if (row.success) rows.push(row.data);
  }
  return rows;
}

/** Returns the digits of a digest or of the beginning of one; `undefined` for any other text. */
export function beginningOf(typed: string): string | undefined {
  const digits = typed.trim().toLowerCase().replace(/^sha256:/, "");
  // Fewer digits are too easily a typing mistake. `model-sync rollback --to` needs as many.
  return /^[0-9a-f]{4,64}$/.test(digits) ? digits : undefined;
}

/** Sequences count publications: longer numbers are not sequences. */
const SEQUENCE = /^\d{1,9}$/;

/** Returns the releases that a typed text may refer to: by the beginning of the digest, or by the sequence. */
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
