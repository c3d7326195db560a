import type { ManifestClaim } from "../carriers/carrier.ts";
import type { Context } from "../core/context.ts";
import { RefusedError } from "../core/errors.ts";
import { type Digest, type Manifest, shortDigest } from "../release/manifest.ts";
import { SIGNATURE_NAME } from "../release/registry_file.ts";
import type { TrustedKey } from "../signing/verify_files.ts";
import { findRelease, findSignature } from "../store/releases.ts";
import type { Store } from "../store/store.ts";

/** Whose signatures a client trusts, and what it does without. */
export interface SignaturePolicy {
  /** Without any, signatures are not looked at. */
  readonly keys: readonly TrustedKey[];
  /** What no trusted key signed is refused; so is an active release that has expired meanwhile. */
  readonly isRequired: boolean;
}

/** Signatures are not looked at. */
export const NO_SIGNATURES: SignaturePolicy = { keys: [], isRequired: false };

/** What is known of a release that may be used. A release that may not is refused instead. */
export type SignatureCheck =
  /** A trusted key signed this manifest and these files. */
  | { readonly kind: "verified"; readonly keyHint: string }
  /** It has no signature, and none is required. */
  | { readonly kind: "unsigned" }
  /** No keys are configured. */
  | { readonly kind: "unchecked" };

/** How far the clocks of a publisher and a client may be apart. */
const CLOCK_SKEW_MS = 5 * 60_000;

/**
 * Decides whether a release that a carrier offers may come, before any of its files is brought. An expiry is heeded
 * whoever wrote it; what a signature adds is that it cannot have been taken out.
 *
 * A refusal says nothing about the files, and nothing is quarantined for it: otherwise whoever can push a bad signature
 * could ban a good release.
 *
 * @param claim missing where the carrier brought no manifest
 * @throws {RefusedError} codes `SIGNATURE_MISSING`, `SIGNATURE_INVALID`, `SIGNATURE_MISMATCH`, `RELEASE_EXPIRED`
 */
export async function checkSignature(
  context: Context,
  claim: ManifestClaim | undefined,
  policy: SignaturePolicy,
  now: Date,
): Promise<SignatureCheck> {
  const check = await checkTrust(context, claim, policy, now);
  if (claim !== undefined && isExpired(claim.manifest, now)) throw expired(claim.manifest);
  return check;
}

/**
 * Whether the active release may stay in use when its source has nothing newer. A registry that is frozen serves the
 * old release for ever: where signatures are required, that ends with the release's term.
 *
 * @returns `false` where the store cannot tell, as it holds no signature, and the source has to be asked for it
 * @throws {RefusedError} code `RELEASE_EXPIRED`
 */
export async function checkActive(
  context: Context,
  store: Store,
  active: Manifest,
  policy: SignaturePolicy,
  now: Date,
): Promise<boolean> {
  if (isExpired(active, now)) {
    const problem = expired(active);
    if (policy.isRequired) throw problem;
    context.log.warn(`${problem.message}; it stays active, as signing.required is not set`);
  }
  if (!policy.isRequired) return true;
  try {
    await checkTrust(context, storedClaim(store, active.digest), policy, now);
    return true;
  } catch (error) {
    if (error instanceof RefusedError) return false;
    throw error;
  }
}

/** A release of the store, with the signature that it came with. */
export function storedClaim(store: Store, digest: Digest): ManifestClaim | undefined {
  const release = findRelease(store, digest);
  return release === undefined ? undefined : { ...release, signature: findSignature(store, digest) };
}

async function checkTrust(
  { log }: Context,
  claim: ManifestClaim | undefined,
  { keys, isRequired }: SignaturePolicy,
  now: Date,
): Promise<SignatureCheck> {
  if (keys.length === 0 && !isRequired) return { kind: "unchecked" };
  if (claim?.signature === undefined) {
    const problem = missing(claim?.manifest);
    if (isRequired) throw problem;
    log.warn(`${problem.message}; it is taken all the same, as signing.required is not set`);
    return { kind: "unsigned" };
  }
  // Loaded where there is something to verify: what it needs costs every other start some milliseconds.
  const { verifyRelease } = await import("../signing/release_signature.ts");
  const { hint, source } = await verifyRelease(claim.signature, claim, keys, now);
  log.debug(`release ${shortDigest(claim.manifest.digest)} is signed by ${source}`);
  return { kind: "verified", keyHint: hint };
}

function isExpired({ expiresAt }: Manifest, now: Date): boolean {
  return expiresAt !== undefined && Date.parse(expiresAt) + CLOCK_SKEW_MS < now.getTime();
}

function missing(manifest: Manifest | undefined): RefusedError {
  const problem = manifest === undefined
    ? "Cannot trust what is offered: it has no model-sync.json that could be signed"
    : `Cannot trust release ${shortDigest(manifest.digest)}: it has no ${SIGNATURE_NAME}`;
  return new RefusedError(problem, {
    code: "SIGNATURE_MISSING",
    hint: "set signing.private_key on the publishing side and publish again; the active release is untouched",
  });
}

function expired({ digest, expiresAt, sequence }: Manifest): RefusedError {
  return new RefusedError(
    `Cannot use release ${shortDigest(digest)} (sequence ${sequence}): it expired at ${expiresAt}`,
    {
      code: "RELEASE_EXPIRED",
      hint:
        "publish again, which gives it a new term; if somebody did, the registry is out of date or held back; " +
        "check this machine's clock, too",
    },
  );
}
