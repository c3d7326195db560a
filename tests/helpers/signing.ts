import { createPrivateKey, createPublicKey, type ECKeyPairOptions, generateKeyPairSync } from "node:crypto";
import { type Clock, systemClock } from "../../lib/core/clock.ts";
import { Secret } from "../../lib/core/secret.ts";
import type { SignaturePolicy } from "../../lib/pipeline/check_signature.ts";
import { parsePrivateKey, type SigningKey } from "../../lib/signing/key_files.ts";
import { makeReleaseSigner } from "../../lib/signing/release_signature.ts";
import type { Seal } from "../../lib/signing/seal.ts";
import type { TrustedKey } from "../../lib/signing/verify_files.ts";

/** A key pair in the forms of both sides. */
export interface TestKey {
  readonly privatePem: string;
  readonly publicPem: string;
  readonly signing: SigningKey;
  readonly trusted: TrustedKey;
  /** Returns the seal of a publisher with this key. */
  seal(validDays?: number): Seal;
  /** Returns the requirements of a client that trusts only this key. */
  readonly required: SignaturePolicy;
  /** Returns the requirements of a client that trusts only this key, and accepts unsigned releases, too. */
  readonly optional: SignaturePolicy;
}

/** A key for several processes, only for tests and without any value. */
export function fixedKey(): TestKey {
  const privateKey = createPrivateKey({ key: FIXED, format: "jwk" });
  const privatePem = String(privateKey.export({ type: "pkcs8", format: "pem" }));
  const publicPem = String(createPublicKey(privateKey).export({ type: "spki", format: "pem" }));
  return keyOf(privatePem, publicPem, "fixed.pem");
}

/** Whether this runtime supports a curve: Deno 2.6 does not support P-521. */
export function hasCurve(namedCurve: string): boolean {
  try {
    generateKeyPairSync("ec", { namedCurve });
    return true;
  } catch (error) {
    if (error instanceof TypeError) return false;
    throw error;
  }
}

export function testKey(namedCurve = "P-256", name = "test.pem"): TestKey {
  const options: ECKeyPairOptions<"pem", "pem"> = {
    namedCurve,
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  };
  const { privateKey: privatePem, publicKey: publicPem } = generateKeyPairSync("ec", options);
  return keyOf(privatePem, publicPem, name);
}

function keyOf(privatePem: string, publicPem: string, name: string): TestKey {
  const signing = parsePrivateKey(new Secret(privatePem), name);
  const trusted = { ...signing.verification, source: name };
  return {
    privatePem,
    publicPem,
    signing,
    trusted,
    seal: (validDays) => ({ signer: makeReleaseSigner(signing), validDays }),
    required: { keys: [trusted], isRequired: true },
    optional: { keys: [trusted], isRequired: false },
  };
}

/** A clock whose wall time stands still; waiting takes real time. */
export function clockAt(time: string): Clock {
  return {
    now: () => new Date(time),
    monotonicMs: () => systemClock.monotonicMs(),
    sleep: (durationMs, signal) => systemClock.sleep(durationMs, signal),
    every: (periodMs, work) => systemClock.every(periodMs, work),
  };
}

/** The scalar 0x1234567890abcdef, twice. */
const FIXED = {
  kty: "EC",
  crv: "P-256",
  x: "-evkZBR8wQLZIyTQmdknwaUOQtV6CKEW_-wKKYGdjGU",
  y: "cLr30SiIkCpqDB1nrdEDEjyFmrab-OlDHJOEkw1Lfu4",
  d: "AAAAAAAAAAAAAAAAAAAAABI0VniQq83vEjRWeJCrze8",
};
