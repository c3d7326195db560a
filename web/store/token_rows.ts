import { committed } from "./commit.ts";
import { keys } from "./keys.ts";
import { TokenRow } from "./rows.ts";

/** Two tokens for each of 1,000 nodes, while one is being replaced, and as many read tokens. */
export const TOKENS_MAX = 4_000;

/** A token's row with its entry, which guards changes. */
export interface StoredToken {
  readonly row: TokenRow;
  readonly entry: Deno.KvEntry<unknown>;
}

/** Returns the token with this hash; `undefined` if it is missing or unreadable. */
export async function findTokenByHash(kv: Deno.Kv, hash: string): Promise<StoredToken | undefined> {
  const entry = await kv.get(keys.token(hash));
  return entry.versionstamp === null ? undefined : stored(entry);
}

/** Returns all tokens, at most {@link TOKENS_MAX}, unsorted. */
export async function readTokens(kv: Deno.Kv): Promise<readonly StoredToken[]> {
  const tokens: StoredToken[] = [];
  for await (const entry of kv.list({ prefix: keys.tokens() }, { limit: TOKENS_MAX })) {
    const token = stored(entry);
    if (token !== undefined) tokens.push(token);
  }
  return tokens;
}

/** Stores a new token. @returns `false` if it exists or the database is locked */
export async function addToken(kv: Deno.Kv, hash: string, row: TokenRow): Promise<boolean> {
  const key = keys.token(hash);
  return await committed(kv.atomic().check({ key, versionstamp: null }).set(key, row));
}

/**
 * Replaces a token by another one.
 *
 * @returns `false` if the old token was changed or removed since it was read, or the database is locked
 */
export async function replaceToken(
  kv: Deno.Kv,
  old: StoredToken,
  hash: string,
  row: TokenRow,
): Promise<boolean> {
  return await committed(kv.atomic().check(old.entry).delete(old.entry.key).set(keys.token(hash), row));
}

/**
 * Changes a token's row.
 *
 * @returns `false` if it was changed or removed since it was read: a revoked token must not come back
 */
export async function updateToken(kv: Deno.Kv, { entry }: StoredToken, row: TokenRow): Promise<boolean> {
  return await committed(kv.atomic().check(entry).set(entry.key, row));
}

/** Removes a token. @returns `false` if it was changed or removed since it was read, or the database is locked */
export async function removeToken(kv: Deno.Kv, { entry }: StoredToken): Promise<boolean> {
  return await committed(kv.atomic().check(entry).delete(entry.key));
}

function stored(entry: Deno.KvEntry<unknown>): StoredToken | undefined {
  const parsed = TokenRow.safeParse(entry.value);
  return parsed.success ? { row: parsed.data, entry } : undefined;
}
