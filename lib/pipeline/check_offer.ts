import type { Context } from "../core/context.ts";
import { RefusedError } from "../core/errors.ts";
import type { OtherWriterSetting } from "../config/choices.ts";
import { type Digest, type Manifest, shortDigest, type Withdrawal } from "../release/manifest.ts";
import { findQuarantine, newestRolledBack } from "../store/quarantine.ts";
import type { Store } from "../store/store.ts";
import type { KnownRevision } from "../store/revisions.ts";
import { findWithdrawal, withdrawalsInForce } from "../store/withdrawals.ts";
import { checkActive, checkSignature, NO_SIGNATURES, type SignaturePolicy } from "./check_signature.ts";
import type { ClaimProblem, Offer, OtherWriter } from "../carriers/carrier.ts";
import type { RecordedWriter } from "../store/recorded_writer.ts";
import type { StagedFile } from "../store/staging.ts";
import { refuseWithdrawn } from "./withdrawn_release.ts";

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

function writerPolicy(
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
 * Refuses a release that is withdrawn or quarantined, or that is older than the active release or than one that was
 * rolled back.
 *
 * @throws {RefusedError} code `WITHDRAWN`, `QUARANTINED` or `DOWNGRADE`
 */
export function refuseUnwanted(
  store: Store,
  offered: { readonly digest: Digest; readonly sequence: number },
  active: Manifest | undefined,
  options: {
    readonly allowDowngrade: boolean;
    readonly force: boolean;
    /** Default: those that the store knows. */
    readonly withdrawals?: readonly Withdrawal[];
  },
): void {
  refuseWithdrawn(options.withdrawals ?? withdrawalsInForce(store), offered.digest, active?.digest);
  const entry = findQuarantine(store, offered.digest, offered.sequence);
  if (entry !== undefined && !options.force) {
    throw new RefusedError(
      `Cannot activate release ${
        shortDigest(offered.digest)
      }: it was quarantined at ${entry.at} (${entry.reason})`,
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
    { code: "DOWNGRADE", hint: "if the downgrade is intended, pull once with --allow-downgrade" },
  );
}

/** Returns whether the active release is the release of the revision, and not withdrawn. */
export function isNewestFor(store: Store, active: Manifest, seen: KnownRevision): boolean {
  return active.digest === seen.digest && findWithdrawal(store, seen.digest) === undefined;
}

/** How a client treats files that another program changed without their manifest. */
interface WriterPolicy {
  readonly otherWriters: OtherWriterSetting;
  readonly signatures: SignaturePolicy;
}

/** An offer, and the other program's change that was accepted with it. */
interface JudgedOffer {
  readonly offer: Offer;
  readonly accepted?: {
    readonly writer: OtherWriter;
    /** Describes the files before the change. */
    readonly manifest: Manifest;
  };
}

/**
 * Decides about files that another program changed after model-sync published their manifest. They are accepted only if
 * the policy accepts them and no signature is required: then like the files of a registry without a manifest, with the
 * sequence of the release that they changed. Without such a change, returns the offer unchanged.
 *
 * @throws {RefusedError} code `DIGEST_MISMATCH` if the files are known to differ from the manifest
 */
async function judgeWriter(
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
  context.log.warn(`${describeWriter(writer)}; it is accepted, because other_writers is accept`);
  // Its sequence orders it after older releases and before the next one.
  return {
    offer: { revision: offer.revision, claim: undefined, files: writer.files, sequence: manifest.sequence },
    accepted: { writer, manifest },
  };
}

/**
 * Checks an accepted change: the files that the other program did not change must match the manifest. Otherwise the
 * manifest never described this commit.
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

/** Returns the error with the program that changed the files, if that can be found out. */
export async function explainMismatch(
  offer: Offer,
  error: unknown,
  options: TrustOptions,
): Promise<unknown> {
  if (!(error instanceof RefusedError) || error.code !== MISMATCH || offer.claim === undefined) return error;
  const writer = await offer.findOtherWriter?.();
  if (writer === undefined) return error;
  const problem = error.message.replace(/^Cannot accept release \w+: /, "");
  return otherWriterRefusal(offer, offer.claim.manifest, writer, problem, writerPolicy(options));
}

/** Returns what the history and the store keep of another program's change. */
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
    ? "signing.required is set, so other programs' changes are never accepted"
    : "to accept other programs' changes, set model_sync.client.other_writers: accept, or use --accept-other-writers";
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
