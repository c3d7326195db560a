import type { Offer } from "../carriers/carrier.ts";
import type { Context } from "../core/context.ts";
import { RefusedError } from "../core/errors.ts";
import type { OtherWriterSetting } from "../config/choices.ts";
import { type Digest, type Manifest, shortDigest } from "../release/manifest.ts";
import { findQuarantine, newestRolledBack } from "../store/quarantine.ts";
import type { Store } from "../store/store.ts";
import { checkActive, checkSignature, NO_SIGNATURES, type SignaturePolicy } from "./check_signature.ts";
import { type JudgedOffer, judgeWriter, type WriterPolicy } from "./other_writer.ts";

/** Which signers and which other programs a pull trusts. */
export interface TrustOptions {
  /** The trusted signatures. Without it, no signature is checked. */
  readonly signatures?: SignaturePolicy | undefined;
  /** Whether to accept files that another program changed without their manifest. The default refuses them. */
  readonly otherWriters?: OtherWriterSetting | undefined;
}

/**
 * Returns the offer that may be pulled, and the hint of the key that signed it.
 *
 * @throws {RefusedError} by {@link judgeWriter} or {@link checkSignature}
 */
export async function checkOffer(
  context: Context,
  inspected: Offer,
  options: TrustOptions,
): Promise<JudgedOffer & { readonly signer: string | undefined }> {
  const policy = writerPolicy(options);
  const judged = await judgeWriter(context, inspected, policy);
  const check = await checkSignature(context, judged.offer.claim, policy.signatures, context.clock.now());
  return { ...judged, signer: check.kind === "verified" ? check.keyHint : undefined };
}

export function writerPolicy(
  { otherWriters = "refuse", signatures = NO_SIGNATURES }: TrustOptions,
): WriterPolicy {
  return { otherWriters, signatures };
}

/**
 * Returns whether the active release may stay active when the source has nothing newer. `false`: the store has no good
 * signature of it, and the pull inspects the source again for one.
 *
 * @throws {RefusedError} code `RELEASE_EXPIRED`
 */
export async function mayStayActive(
  context: Context,
  store: Store,
  active: Manifest,
  { signatures = NO_SIGNATURES }: Pick<TrustOptions, "signatures">,
): Promise<boolean> {
  return await checkActive(context, store, active, signatures, context.clock.now());
}

/**
 * Refuses a release that is quarantined, or that is older than the active release or than one that was rolled back.
 *
 * @throws {RefusedError} code `QUARANTINED` or `DOWNGRADE`
 */
export function refuseUnwanted(
  store: Store,
  offered: { readonly digest: Digest; readonly sequence: number },
  active: Manifest | undefined,
  options: { readonly allowDowngrade: boolean; readonly force: boolean },
): void {
  const entry = findQuarantine(store, offered.digest, offered.sequence);
  if (entry !== undefined && !options.force) {
    throw new RefusedError(
      `Cannot activate release ${
        shortDigest(offered.digest)
      }: it is quarantined since ${entry.at}, ${entry.reason}`,
      {
        code: "QUARANTINED",
        hint: `publish a newer release, or allow this one again: model-sync quarantine lift ${
          shortDigest(offered.digest)
        }`,
      },
    );
  }
  if (active === undefined || options.allowDowngrade) return;
  const rolledBack = offered.digest === active.digest ? undefined : newestRolledBack(store);
  const newest = Math.max(active.sequence, rolledBack ?? 0);
  if (offered.sequence >= newest) return;
  throw new RefusedError(
    `Cannot pull release ${
      shortDigest(offered.digest)
    }: its sequence ${offered.sequence} is lower than ${newest}, of ${
      newest > active.sequence ? "a release that was rolled back" : "the active release"
    }` +
      (offered.sequence === 0 ? "; or the registry lost its model-sync.json" : ""),
    { code: "DOWNGRADE", hint: "if the downgrade is intended, run again with --allow-downgrade" },
  );
}
