import type { Offer } from "../carriers/carrier.ts";
import type { Context } from "../core/context.ts";
import type { OtherWriterSetting } from "../config/choices.ts";
import type { Manifest } from "../release/manifest.ts";
import type { Store } from "../store/store.ts";
import { checkActive, checkSignature, NO_SIGNATURES, type SignaturePolicy } from "./check_signature.ts";
import { type JudgedOffer, judgeWriter, type WriterPolicy } from "./other_writer.ts";

/** Which signers and other writers a pull trusts. */
export interface TrustOptions {
  /** The trusted signatures; without it no signature is checked. */
  readonly signatures?: SignaturePolicy | undefined;
  /** Whether files count that another program changed without their manifest; without it they do not. */
  readonly otherWriters?: OtherWriterSetting | undefined;
}

/** Decides by its writer and its signature whether an offer may be pulled. @returns also the hint of the signer's key */
export async function judgeOffer(
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

/** Whether the active release is still good when there is nothing newer. @throws {RefusedError} `RELEASE_EXPIRED` */
export async function mayStay(
  context: Context,
  store: Store,
  active: Manifest,
  { signatures = NO_SIGNATURES }: Pick<TrustOptions, "signatures">,
): Promise<boolean> {
  return await checkActive(context, store, active, signatures, context.clock.now());
}
