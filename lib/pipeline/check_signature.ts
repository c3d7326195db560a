import type { ManifestClaim } from "../carriers/carrier.ts";
import type { Context } from "../core/context.ts";
import { RefusedError } from "../core/errors.ts";
import { type Digest, type Manifest, shortDigest } from "../release/manifest.ts";
import { SIGNATURE_NAME } from "../release/registry_file.ts";
import type { TrustedKey } from "../signing/verify_files.ts";
import { findRelease, findSignature } from "../store/releases.ts";
import type { Store } from "../store/store.ts";

/** The signatures that a client trusts, and whether it requires one. */
export interface SignaturePolicy {
  /** Without keys, signatures are not checked. */
  readonly keys: readonly TrustedKey[];
  /** Refuses a release without a trusted signature, and an active release that has expired meanwhile. */
  readonly isRequired: boolean;
}

/** Reads a policy where it is needed: a key that cannot be read must not stop other rollbacks. */
export type ReadSignatures = () => Promise<SignaturePolicy>;

/** Checks no signatures. */
export const NO_SIGNATURES: SignaturePolicy = { keys: [], isRequired: false };

/** The result for a release that may be used. Any other release is refused. */
export type SignatureCheck =
  /** A trusted key signed this manifest and these files. */
  | { readonly kind: "verified"; readonly keyHint: string }
  /** It has no signature, and the policy requires none. */
  | { readonly kind: "unsigned" }
  /** No keys are configured. */
  | { readonly kind: "unchecked" };

/** The clock skew that an expiry allows between publisher and client. */
const CLOCK_SKEW_MS = 5 * 60_000;

/**
 * Checks the signature and the expiry of an offered release before any of its files is downloaded. An unsigned expiry
 * counts, too; a signature proves that it was not removed.
 *
 * A refusal quarantines nothing: otherwise anyone who can push a bad signature could block a good release.
 *
 * @param claim `undefined` if the carrier found no manifest
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
 * Returns whether the active release may stay active when its source has nothing newer. An attacker who freezes a
 * registry could serve an old release for ever: where signatures are required, its expiry ends that.
 *
 * @returns `false` if the store has no good signature of it; the pull then inspects the source for one
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
    context.log.warn(`${problem.message}; it stays active, because signing.required is not set`);
  }
  return await hasRequiredSignature(context, store, active.digest, policy);
}

/** Returns whether the store has a good signature of a release, or the policy requires none. */
export async function hasRequiredSignature(
  context: Context,
  store: Store,
  digest: Digest,
  policy: SignaturePolicy,
): Promise<boolean> {
  if (!policy.isRequired) return true;
  try {
    await checkTrust(context, storedClaim(store, digest), policy, context.clock.now());
    return true;
  } catch (error) {
    if (error instanceof RefusedError) return false;
    throw error;
  }
}

/** Returns an installed release with the signature that it came with. */
export function storedClaim(store: Store, digest: Digest): ManifestClaim | undefined {
  const release = findRelease(store, digest);
  return release === undefined ? undefined : { ...release, signature: findSignature(store, digest) };
}

/** Returns whether a policy accepts an earlier release, whatever its expiry; logs why not. */
export async function isTrustedRelease(
  context: Context,
  claim: ManifestClaim,
  policy: SignaturePolicy,
  now: Date,
): Promise<boolean> {
  try {
    await checkTrust(context, claim, policy, now);
    return true;
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    context.log.warn(`${error.message}; it is not restored`);
    return false;
  }
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
    log.warn(`${problem.message}; it is accepted, because signing.required is not set`);
    return { kind: "unsigned" };
  }
  // Loaded only when there is a signature: its dependencies cost every start some milliseconds.
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
    ? "Cannot trust the offered files: they have no model-sync.json, which a signature would cover"
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
        "publish again, which sets a new expiry; if that was done, the registry serves an outdated release; " +
        "also check this machine's clock",
    },
  );
}
