import { findReleases } from "./find_releases.ts";
import { MATCHES_MAX, matchReleases } from "./match_releases.ts";
import type { ReleaseRow } from "./rows.ts";

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
