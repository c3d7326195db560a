import { createHash, randomBytes, randomUUID } from "node:crypto";
import { cleanLine } from "../../lib/core/clean_text.ts";
import { messageOf, UsageError } from "../../lib/core/errors.ts";
import { quote } from "../../lib/core/quote.ts";
import { alwaysChanged } from "../store/commit.ts";
import { announceNode, withdrawNode } from "../store/known_nodes.ts";
import type { TokenRow } from "../store/rows.ts";
import {
  addToken,
  findTokenByHash,
  readTokens,
  removeToken,
  replaceToken,
  type StoredToken,
  TOKENS_MAX,
  updateToken,
} from "../store/token_rows.ts";
import type { Web } from "../shared/web.ts";
import { coversNode, nodeNameFault } from "./node_name.ts";

/**
 * Tokens of the API.
 *
 * A node token allows reporting events of its node and the node's sides. With a stolen one, an attacker can invent
 * runs, releases and heartbeats of that node, and hide that it is down. The attacker cannot report for other nodes,
 * read anything, sign in, change a setting or start anything on a machine, because the dashboard only receives.
 * Rotating or revoking the token ends this immediately.
 *
 * A read token allows reading everything that a signed-in person sees, and changes nothing.
 */
export type TokenKind = TokenRow["kind"];

/** Lets secret scanners recognize tokens. */
const PREFIX = "mst_";
const SECRET_BYTES = 32;
const SECRET_SHAPE = /^mst_[A-Za-z0-9_-]{43}$/;

/** Long enough for "Grafana in the office", short enough for a table. */
export const PURPOSE_CHARS_MAX = 64;

/** Accuracy of the time of the last use: a write for every request would cost more than the request. */
const USED_AT_STEP_MS = 3_600_000;

/** Attempts against concurrent writers. More conflicts have another cause. */
const ATTEMPTS_MAX = 20;

/** A new token with its secret. */
export interface NewToken {
  readonly row: TokenRow;
  /** Shown only once, because only its hash is stored. */
  readonly secret: string;
}

/**
 * Creates a token and returns it with its secret. A node that has not reported appears as "never reported".
 *
 * @param name the node, or the purpose of the read token
 * @throws {UsageError} codes `NODE_NAME_INVALID`, `TOKEN_NAME_INVALID`, `TOKENS_FULL`
 */
export async function createToken(web: Web, kind: TokenKind, name: string): Promise<NewToken> {
  const checkedName = kind === "node" ? nodeOf(name) : purposeOf(name);
  const tokens = await readTokens(web.kv);
  if (tokens.length >= TOKENS_MAX) {
    throw new UsageError(`Cannot create a token: the limit of ${TOKENS_MAX} tokens is reached`, {
      code: "TOKENS_FULL",
      hint: "revoke tokens that nothing uses",
    });
  }
  const row: TokenRow = {
    id: randomUUID(),
    kind,
    name: checkedName,
    createdAt: web.clock.now().toISOString(),
    usedAt: null,
  };
  const secret = newSecret();
  await repeated(() => addToken(web.kv, hashOf(secret), row));
  if (kind === "node") await announceNode(web.kv, checkedName);
  return { row, secret };
}

/**
 * Replaces a token's secret. The old one stops working immediately. Returns `undefined` if the token does not exist.
 */
export async function rotateToken(web: Web, id: string): Promise<NewToken | undefined> {
  let rotated: NewToken | undefined;
  await repeated(async () => {
    const old = await findById(web.kv, id);
    if (old === undefined) return true;
    const row: TokenRow = { ...old.row, createdAt: web.clock.now().toISOString(), usedAt: null };
    const secret = newSecret();
    if (!await replaceToken(web.kv, old, hashOf(secret), row)) return false;
    rotated = { row, secret };
    return true;
  });
  return rotated;
}

/**
 * Revokes a token immediately and returns it; `undefined` if it does not exist. A node that has never reported
 * disappears with its last token.
 */
export async function revokeToken(web: Web, id: string): Promise<TokenRow | undefined> {
  let revoked: TokenRow | undefined;
  // A token that is rotated at the same moment is found again under its new secret.
  await repeated(async () => {
    const token = await findById(web.kv, id);
    revoked = token?.row;
    return token === undefined || await removeToken(web.kv, token);
  });
  if (revoked?.kind === "node") await removeUnreported(web.kv, revoked.name);
  return revoked;
}

async function removeUnreported(kv: Deno.Kv, node: string): Promise<void> {
  const isLast = !(await readTokens(kv)).some(({ row }) => row.kind === "node" && row.name === node);
  if (isLast) await withdrawNode(kv, node);
}

/** Returns all tokens, by name and age. */
export async function listTokens(kv: Deno.Kv): Promise<readonly TokenRow[]> {
  const rows = (await readTokens(kv)).map(({ row }) => row);
  return rows.sort((one, other) =>
    compare(one.name, other.name) || compare(one.createdAt, other.createdAt) || compare(one.id, other.id)
  );
}

/** Returns the token with this id. */
export async function findToken(kv: Deno.Kv, id: string): Promise<TokenRow | undefined> {
  return (await findById(kv, id))?.row;
}

/**
 * Returns the token in an `Authorization` header and records its use; `undefined` if there is none, or it is wrong or
 * of another kind.
 */
export async function presentedToken(
  web: Web,
  authorization: string | null,
  kind: TokenKind,
): Promise<TokenRow | undefined> {
  const secret = /^Bearer +(\S+)$/i.exec(authorization ?? "")?.[1];
  if (secret === undefined || !SECRET_SHAPE.test(secret)) return undefined;
  const token = await findTokenByHash(web.kv, hashOf(secret));
  if (token === undefined || token.row.kind !== kind) return undefined;
  await noteUse(web, token);
  return token.row;
}

/** Returns whether a token may report events of a node. */
export function mayReport(token: TokenRow, node: string): boolean {
  return token.kind === "node" && coversNode(token.name, node);
}

/**
 * Returns the key of a token in the database. A fast hash is sufficient because a token has 256 random bits, and every
 * report is checked. Passwords need scrypt ([password_hash.ts](password_hash.ts)). The secret is found by its hash in
 * the database, whose timing reveals nothing about the secret.
 */
function hashOf(secret: string): string {
  return createHash("sha256").update(secret).digest("base64url");
}

function newSecret(): string {
  return PREFIX + randomBytes(SECRET_BYTES).toString("base64url");
}

async function findById(kv: Deno.Kv, id: string): Promise<StoredToken | undefined> {
  return (await readTokens(kv)).find(({ row }) => row.id === id);
}

/** Repeats a change until no other writer interferes. */
async function repeated(change: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) if (await change()) return;
  throw alwaysChanged();
}

/**
 * Records the use of a token. A failure does not stop the request: a full disk must not lock out readers with a token.
 */
async function noteUse(web: Web, token: StoredToken): Promise<void> {
  const now = web.clock.now();
  const usedAt = Date.parse(token.row.usedAt ?? "");
  // The absolute difference also covers a time that was recorded while the clock was ahead.
  if (Math.abs(now.getTime() - usedAt) < USED_AT_STEP_MS) return;
  try {
    await updateToken(web.kv, token, { ...token.row, usedAt: now.toISOString() });
  } catch (error) {
    web.log.warn(`cannot note the use of the token for ${token.row.name}: ${messageOf(error)}`);
  }
}

function nodeOf(name: string): string {
  const trimmed = name.trim();
  const fault = nodeNameFault(trimmed);
  if (fault === undefined) return trimmed;
  throw new UsageError(`Cannot create a token for the node ${quote(trimmed.slice(0, 200))}: ${fault}`, {
    code: "NODE_NAME_INVALID",
    hint: "use the node's report.node, or its host name, such as bot-1",
  });
}

function purposeOf(name: string): string {
  const purpose = cleanLine(name, { charsMax: PURPOSE_CHARS_MAX });
  if (purpose !== "") return purpose;
  throw new UsageError("Cannot create a read token: it has no name", {
    code: "TOKEN_NAME_INVALID",
    hint: "name what reads the dashboard, such as Grafana",
  });
}

function compare(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}
