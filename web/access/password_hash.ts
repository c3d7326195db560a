import { Buffer } from "node:buffer";
import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import { UsageError } from "../../lib/core/errors.ts";
import { WorkQueue } from "./work_queue.ts";

/** Shorter ones are guessed: ten tries in a quarter of an hour are a thousand a day. */
export const PASSWORD_CHARS_MIN = 8;
/** A long sentence. scrypt takes any length, a sign-in form does not have to. */
export const PASSWORD_CHARS_MAX = 256;

/** OWASP's advice for scrypt with 32 MiB: 0.4 s of one core. */
const COST = { N: 2 ** 15, r: 8, p: 3 } as const;
const SALT_BYTES = 16;
const HASH_BYTES = 32;

/** What a stored hash may ask for: 64 MiB and four times the work of ours at most; a weaker one is refused. */
const N_MIN = 2 ** 14;
const N_MAX = 2 ** 16;
const P_MAX = 6;
const SALT_BYTES_MAX = 64;
const HASH_BYTES_MAX = 64;
/** Numbers and base64url of at most the lengths above, which this bounds again. */
const HASH_CHARS_MAX = 256;

/**
 * At most 64 MiB each, in a process that is to stay under 250 MB; more at once would not be faster on two cores. Those
 * who wait are people: more than this at once are an attack, and are turned away.
 */
const queue = new WorkQueue({ runningMax: 2, waitingMax: 16 });

/** A password's hash, as it is stored: `scrypt$N$r$p$SALT$HASH`, the last two as base64url. */
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

/** Throws where a password is too short or too long, as a {@link UsageError}. */
export function checkPassword(password: string): void {
  const length = normalized(password).length;
  if (length < PASSWORD_CHARS_MIN) {
    throw new UsageError(`Cannot use this password: it has fewer than ${PASSWORD_CHARS_MIN} characters`, {
      code: "PASSWORD_TOO_SHORT",
      hint: "use several words, or let a password manager make one",
    });
  }
  if (length > PASSWORD_CHARS_MAX) {
    throw new UsageError(`Cannot use this password: it has more than ${PASSWORD_CHARS_MAX} characters`, {
      code: "PASSWORD_TOO_LONG",
      hint: "use a shorter one",
    });
  }
}

/**
 * Returns whether a password is the one of a hash, in a time that does not depend on how much of it is right.
 *
 * @throws BusyError where too many are checked at once
 */
export async function isPassword(password: string, expected: PasswordHash): Promise<boolean> {
  if (isTooLong(password)) return false;
  return timingSafeEqual(await derive(password, expected), expected.hash);
}

const SHAPE = /^scrypt\$(\d{1,7})\$(\d{1,2})\$(\d{1,2})\$([A-Za-z0-9_-]+)\$([A-Za-z0-9_-]+)$/;

/**
 * Returns a hash from its text; `undefined` where it has another form, asks for more memory or work than a sign-in may
 * cost, or is too weak.
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
  // scrypt needs 128 · N · r bytes and a little more.
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

/** Returns whether no password that can be set is as long, however its characters are composed. */
export function isTooLong(password: string): boolean {
  return password.length > 8 * PASSWORD_CHARS_MAX;
}

/** The same characters typed on another system: "é" is one code point here and two there. */
export function normalized(password: string): string {
  return password.normalize("NFKC");
}
