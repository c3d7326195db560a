import { Buffer } from "node:buffer";
import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import { UsageError } from "../../lib/core/errors.ts";
import { WorkQueue } from "./work_queue.ts";

/** Shorter passwords can be guessed: ten attempts in a quarter of an hour are a thousand a day. */
export const PASSWORD_CHARS_MIN = 8;
/** A long sentence. scrypt accepts any length, but the form need not. */
export const PASSWORD_CHARS_MAX = 256;

/** OWASP's recommendation for scrypt with 32 MiB: 0.4 s of one core. */
const COST = { N: 2 ** 15, r: 8, p: 3 } as const;
const SALT_BYTES = 16;
const HASH_BYTES = 32;

/** Bounds for stored hashes: at most 64 MiB and four times the work of ours. Weaker ones are rejected. */
const N_MIN = 2 ** 14;
const N_MAX = 2 ** 16;
const P_MAX = 6;
const SALT_BYTES_MAX = 64;
const HASH_BYTES_MAX = 64;
/** The numbers and base64url texts of the lengths above. */
const HASH_CHARS_MAX = 256;

/**
 * Hashes need up to 64 MiB each, in a process that should stay below 250 MB. More at once would not be faster on two
 * cores. More waiting sign-ins than this are an attack, and are rejected.
 */
const queue = new WorkQueue({ runningMax: 2, waitingMax: 16 });

/** A password hash. Stored as `scrypt$N$r$p$SALT$HASH`, with base64url for the last two. */
export interface PasswordHash {
  readonly N: number;
  readonly r: number;
  readonly p: number;
  readonly salt: Uint8Array;
  readonly hash: Uint8Array;
}

/**
 * Returns the text of a password's hash, for `MODEL_SYNC_DASHBOARD_PASSWORD_HASH` or the database.
 *
 * @throws {UsageError} codes `PASSWORD_TOO_SHORT`, `PASSWORD_TOO_LONG`
 */
export async function hashPassword(password: string): Promise<string> {
  checkPassword(password);
  const salt = randomBytes(SALT_BYTES);
  const hash = await derive(password, { ...COST, salt, hash: new Uint8Array(HASH_BYTES) });
  const { N, r, p } = COST;
  return ["scrypt", N, r, p, salt.toString("base64url"), hash.toString("base64url")].join("$");
}

/** Throws a {@link UsageError} if a password is too short or too long. */
export function checkPassword(password: string): void {
  const fault = passwordFault(password);
  if (fault === undefined) return;
  const { code, reason, hint } = fault;
  throw new UsageError(`Cannot use this password: ${reason}`, { code, hint });
}

/** Returns why a password is too short or too long; `undefined` if it is neither. */
export function passwordFault(
  password: string,
): { readonly code: string; readonly reason: string; readonly hint: string } | undefined {
  const length = normalized(password).length;
  if (length < PASSWORD_CHARS_MIN) {
    return {
      code: "PASSWORD_TOO_SHORT",
      reason: `it has fewer than ${PASSWORD_CHARS_MIN} characters`,
      hint: "use several words, or let a password manager make one",
    };
  }
  if (length <= PASSWORD_CHARS_MAX) return undefined;
  return {
    code: "PASSWORD_TOO_LONG",
    reason: `it has more than ${PASSWORD_CHARS_MAX} characters`,
    hint: "use a shorter one",
  };
}

/**
 * Returns whether a password matches a hash. The time does not depend on how much of it is right.
 *
 * @throws BusyError if too many passwords are being checked
 */
export async function isPassword(password: string, expected: PasswordHash): Promise<boolean> {
  if (isTooLong(password)) return false;
  return timingSafeEqual(await derive(password, expected), expected.hash);
}

const SHAPE = /^scrypt\$(\d{1,7})\$(\d{1,2})\$(\d{1,2})\$([A-Za-z0-9_-]+)\$([A-Za-z0-9_-]+)$/;

/**
 * Returns a hash from its text; `undefined` if it is malformed, too weak, or needs more memory or work than a sign-in
 * may cost.
 */
export function parsePasswordHash(text: string): PasswordHash | undefined {
  if (text.length > HASH_CHARS_MAX) return undefined;
  const [, N, r, p, salt, hash] = SHAPE.exec(text) ?? [];
  if (salt === undefined || hash === undefined) return undefined;
  const parsed = {
    N: Number(N),
    r: Number(r),
    p: Number(p),
    salt: Buffer.from(salt, "base64url"),
    hash: Buffer.from(hash, "base64url"),
  };
  return isBounded(parsed) ? parsed : undefined;
}

function isBounded({ N, r, p, salt, hash }: PasswordHash): boolean {
  return N >= N_MIN && N <= N_MAX && Number.isInteger(Math.log2(N)) && r === COST.r && p >= 1 && p <= P_MAX &&
    salt.length >= SALT_BYTES && salt.length <= SALT_BYTES_MAX &&
    hash.length >= HASH_BYTES && hash.length <= HASH_BYTES_MAX;
}

function derive(password: string, { N, r, p, salt, hash }: PasswordHash): Promise<Buffer> {
  // scrypt needs 128 · N · r bytes, plus some overhead.
  const cost = { N, r, p, maxmem: 128 * N * r + 1024 * 1024 };
  return queue.run(() =>
    new Promise((resolve, reject) => {
      scrypt(normalized(password), salt, hash.length, cost, (error, key) => {
        if (error === null) resolve(key);
        else reject(error);
      });
    })
  );
}

/** Returns whether a text is longer than any password that can be set, in any Unicode form. */
export function isTooLong(password: string): boolean {
  return password.length > 8 * PASSWORD_CHARS_MAX;
}

/** Returns the same text for the same characters: systems type "é" as one or as two code points. */
export function normalized(password: string): string {
  return password.normalize("NFKC");
}
