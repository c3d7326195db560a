import { Buffer } from "node:buffer";
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";

/** Maximum length of a session after the sign-in. */
const SESSION_DAYS_MAX = 30;
/** Maximum time between two visits in a session. */
const IDLE_DAYS_MAX = 7;
/** How often a visit renews the cookie. */
const RENEWAL_MS = 3_600_000;
/** Clocks of instances may differ by this much. Sessions from further in the future are rejected. */
const AHEAD_MS_MAX = 5 * 60_000;

const DAY_MS = 86_400_000;

/** An operator's session. It exists only in the cookie. */
export interface Session {
  readonly id: string;
  readonly signedInAtMs: number;
  readonly seenAtMs: number;
}

/** The secrets that make sessions valid. A change of either ends all sessions. */
export interface SessionSecrets {
  /** 32 random bytes from the database. */
  readonly key: Uint8Array;
  /** The fingerprint of the password. It is part of the signed text. */
  readonly fingerprint: string;
}

/** Returns a session that begins now. */
export function newSession(now: Date): Session {
  return { id: randomBytes(16).toString("base64url"), signedInAtMs: now.getTime(), seenAtMs: now.getTime() };
}

/**
 * Returns the value of a session's cookie: `v1.ID.SIGNED_IN.SEEN.SIGNATURE`, with times in seconds and an HMAC-SHA-256.
 * A copied cookie stays valid until it expires, even if the browser signs out. "Sign everyone out" ends it.
 */
export function sealSession(secrets: SessionSecrets, { id, signedInAtMs, seenAtMs }: Session): string {
  const payload = `v1.${id}.${Math.floor(signedInAtMs / 1000)}.${Math.floor(seenAtMs / 1000)}`;
  return `${payload}.${signatureOf(secrets, payload)}`;
}

const SHAPE = /^(v1\.([A-Za-z0-9_-]{22})\.(\d{1,11})\.(\d{1,11}))\.([A-Za-z0-9_-]{43})$/;

/** Returns the session of a cookie; `undefined` if it is forged, has expired or was ended. */
export function openSession(secrets: SessionSecrets, value: string, now: Date): Session | undefined {
  const [, payload, id, signedIn, seen, signature] = SHAPE.exec(value) ?? [];
  if (payload === undefined || id === undefined || signature === undefined) return undefined;
  if (!isEqual(signature, signatureOf(secrets, payload))) return undefined;
  const session = { id, signedInAtMs: Number(signedIn) * 1000, seenAtMs: Number(seen) * 1000 };
  return sessionLeftMs(session, now) > 0 ? session : undefined;
}

/** Returns the milliseconds until a session ends without another visit; 0 or less if it has ended. */
export function sessionLeftMs({ signedInAtMs, seenAtMs }: Session, now: Date): number {
  const nowMs = now.getTime();
  // A clock that was set back must not extend a session.
  if (signedInAtMs > nowMs + AHEAD_MS_MAX || seenAtMs > nowMs + AHEAD_MS_MAX) return 0;
  return Math.min(signedInAtMs + SESSION_DAYS_MAX * DAY_MS, seenAtMs + IDLE_DAYS_MAX * DAY_MS) - nowMs;
}

/** Returns the session with this visit; `undefined` if no renewal is due. */
export function renewedSession(session: Session, now: Date): Session | undefined {
  return now.getTime() - session.seenAtMs >= RENEWAL_MS ? { ...session, seenAtMs: now.getTime() } : undefined;
}

function signatureOf({ key, fingerprint }: SessionSecrets, payload: string): string {
  // The length separates the two texts unambiguously.
  const text = `model-sync session\n${fingerprint.length}\n${fingerprint}\n${payload}`;
  return createHmac("sha256", key).update(text).digest("base64url");
}

/** Compares texts of the same length in constant time. */
function isEqual(one: string, other: string): boolean {
  const [left, right] = [Buffer.from(one), Buffer.from(other)];
  return left.length === right.length && timingSafeEqual(left, right);
}
