import type { ClaimProblem, Offer, OtherWriter } from "../carriers/carrier.ts";
import type { Context } from "../core/context.ts";
import { RefusedError } from "../core/errors.ts";
import type { OtherWriterSetting } from "../config/choices.ts";
import { type Manifest, shortDigest } from "../release/manifest.ts";
import type { RecordedWriter } from "../store/recorded_writer.ts";
import type { StagedFile } from "../store/staging.ts";
import type { SignaturePolicy } from "./check_signature.ts";

/** What a client does with a registry that another program wrote last. */
export interface WriterPolicy {
  readonly otherWriters: OtherWriterSetting;
  readonly signatures: SignaturePolicy;
}

/** An offer, and whose change of its files was accepted with it. */
export interface JudgedOffer {
  readonly offer: Offer;
  readonly accepted?: {
    readonly writer: OtherWriter;
    /** It describes the files before the change. */
    readonly manifest: Manifest;
  };
}

/**
 * Decides about files that another program changed after model-sync published their manifest. They are taken only where
 * that is set and no signature is required: then as those of a registry without a manifest, in the place of the release
 * that they changed. Without such a change the offer stays as it is.
 *
 * @throws {RefusedError} code `DIGEST_MISMATCH` when the files are known not to be what the manifest says
 */
export async function judgeWriter(
  context: Context,
  offer: Offer,
  policy: WriterPolicy,
): Promise<JudgedOffer> {
  const { claim, problem } = offer;
  if (claim === undefined) return { offer };
  const isAccepting = policy.otherWriters === "accept" && !policy.signatures.isRequired;
  if (problem === undefined && !isAccepting) return { offer };
  const writer = await offer.findOtherWriter?.();
  const { manifest } = claim;
  if (!isAccepting || writer === undefined) {
    if (problem === undefined) return { offer };
    throw writer === undefined
      ? disagreement(offer, problem)
      : otherWriterRefusal(offer, manifest, writer, problem.what, policy);
  }
  context.log.warn(`${describeWriter(writer)}; it is taken all the same, as other_writers is accept`);
  // Between this release and the next: an older one is older than the change, too.
  return {
    offer: { revision: offer.revision, claim: undefined, files: writer.files, sequence: manifest.sequence },
    accepted: { writer, manifest },
  };
}

/**
 * Checks what was accepted: what the other program left alone has to be what the manifest says, or it described nothing
 * in the first place.
 *
 * @throws {RefusedError} code `DIGEST_MISMATCH`
 */
export function checkKept(
  offer: Offer,
  judged: JudgedOffer["accepted"],
  staged: readonly StagedFile[],
): void {
  if (judged === undefined) return;
  const claimed = new Map(judged.manifest.files.map((file) => [file.path, file.sha256]));
  const kept = new Set(judged.writer.kept);
  const other = staged.find(({ path, sha256 }) => kept.has(path) && claimed.get(path) !== sha256);
  if (other === undefined) return;
  throw disagreement(offer, {
    what: `${other.path} has SHA-256 ${other.sha256}, manifest says ${claimed.get(other.path)}`,
  });
}

/** Says of files that are not what their manifest says who changed them, where that can be told. */
export async function explainMismatch(offer: Offer, error: unknown, policy: WriterPolicy): Promise<unknown> {
  if (!(error instanceof RefusedError) || error.code !== MISMATCH || offer.claim === undefined) return error;
  const writer = await offer.findOtherWriter?.();
  if (writer === undefined) return error;
  const problem = error.message.replace(/^Cannot accept release \w+: /, "");
  return otherWriterRefusal(offer, offer.claim.manifest, writer, problem, policy);
}

/** What the history and the store keep of another program's change. */
export function recordedWriter({ revision, author, subject, described }: OtherWriter): RecordedWriter {
  return { revision, author, subject, described };
}

const MISMATCH = "DIGEST_MISMATCH";

function describeWriter({ revision, author, subject, described }: OtherWriter): string {
  return `commit ${revision.slice(0, 12)} ("${subject}", by ${author}) was not published by model-sync: ` +
    `its manifest describes commit ${described.slice(0, 12)}`;
}

function otherWriterRefusal(
  offer: Offer,
  manifest: Manifest,
  writer: OtherWriter,
  problem: string,
  { signatures }: WriterPolicy,
): RefusedError {
  const way = signatures.isRequired
    ? "signing.required is set, so that no other program's files can be taken"
    : "to take what other programs write, set model_sync.client.other_writers: accept, or use --accept-other-writers";
  return new RefusedError(
    `Cannot accept release ${shortDigest(manifest.digest)} of revision ${offer.revision.id.slice(0, 12)}: ${
      describeWriter(writer)
    } (${problem})`,
    { code: MISMATCH, hint: `publish again with model-sync; ${way}; the active release is untouched` },
  );
}

function disagreement({ revision }: Offer, { what, hint = "" }: ClaimProblem): RefusedError {
  return new RefusedError(`Cannot accept model-sync.json of revision ${revision.id.slice(0, 12)}: ${what}`, {
    code: MISMATCH,
    hint: `${hint}publish again from the training side; the active release is untouched`,
  });
}
