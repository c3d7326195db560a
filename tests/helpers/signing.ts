import { type ECKeyPairOptions, generateKeyPairSync } from "node:crypto";
import { type Clock, systemClock } from "../../lib/core/clock.ts";
import { Secret } from "../../lib/core/secret.ts";
import type { SignaturePolicy } from "../../lib/pipeline/check_signature.ts";
import { parsePrivateKey, type SigningKey } from "../../lib/signing/key_files.ts";
import { makeReleaseSigner } from "../../lib/signing/release_signature.ts";
import type { Seal } from "../../lib/signing/seal.ts";
import type { TrustedKey } from "../../lib/signing/verify_files.ts";

/** A pair of keys, as both sides hold it. */
export interface TestKey {
  readonly privatePem: string;
  readonly publicPem: string;
  readonly signing: SigningKey;
  readonly trusted: TrustedKey;
  /** What a publisher with this key seals with. */
  seal(validDays?: number): Seal;
  /** What a client demands that trusts this key alone. */
  readonly required: SignaturePolicy;
  /** What a client says that trusts this key alone, and takes unsigned releases all the same. */
  readonly optional: SignaturePolicy;
}

export function testKey(namedCurve = "P-256", name = "test.pem"): TestKey {
  const options: ECKeyPairOptions<"pem", "pem"> = {
    namedCurve,
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  };
  const { privateKey: privatePem, publicKey: publicPem } = generateKeyPairSync("ec", options);
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

/** A wall clock that stands still; what is waited for passes as ever. */
export function clockAt(time: string): Clock {
  return {
    now: () => new Date(time),
    monotonicMs: () => systemClock.monotonicMs(),
    sleep: (durationMs, signal) => systemClock.sleep(durationMs, signal),
  };
}
