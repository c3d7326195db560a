import type { OfferedFile, Revision, Source } from "../carriers/carrier.ts";
import type { Context } from "../core/context.ts";
import { RefusedError } from "../core/errors.ts";
import { hashFile } from "../core/hash.ts";
import type { ActivationSetting } from "../config/choices.ts";
import { type ChangeList, type ComparedFile, compareFiles, countChanges } from "../release/changes.ts";
import type { Digest, Manifest, Withdrawal } from "../release/manifest.ts";
import { findWithdrawn, type Withdrawn } from "../release/withdrawals.ts";
import { scanFolder } from "../release/scan_folder.ts";
import type { RecordedWriter } from "../store/recorded_writer.ts";
import { inspectModelFolder, planMode } from "../store/model_folder.ts";
import { activeManifest } from "../store/pointers.ts";
import { findRevision } from "../store/revisions.ts";
import type { ModelPlace, Store } from "../store/store.ts";
import { findWithdrawal, withdrawalsInForce } from "../store/withdrawals.ts";
import {
  checkOffer,
  isNewestFor,
  mayStayActive,
  recordedWriter,
  refuseUnwanted,
  type TrustOptions,
} from "./check_offer.ts";
import { NO_SIGNATURES, type SignaturePolicy } from "./check_signature.ts";
import { rollbackTargets } from "./rollback_targets.ts";
import { presentModels, trainedModels } from "./trained_folder.ts";
import { refuseWithdrawn } from "./withdrawn_release.ts";

/** The changes that a pull would make. */
export interface PullPlan {
  readonly outcome: "activated" | "unchanged" | "rolled-back";
  readonly revision: string;
  readonly release: Digest | undefined;
  readonly sequence: number | undefined;
  readonly changes: ChangeList;
  /** How the pull changes a model folder that shows no release of the store yet. */
  readonly folder?: PlannedFolder;
  /** The rollback from the active release that the pull would begin with, because that release is withdrawn. */
  readonly rollback?: PlannedRollback;
  /** The other program whose change of the files is accepted. */
  readonly otherWriter?: RecordedWriter;
}

/** A rollback from a withdrawn release. */
export interface PlannedRollback extends Pick<Withdrawn, "at" | "reason"> {
  readonly from: Digest;
  readonly to: Digest;
}

export interface PlanOptions extends TrustOptions {
  /** As for the pull. */
  readonly allowDowngrade: boolean;
  readonly force: boolean;
  /** The model folder and how releases are activated in it. Without it, the folder is not checked. */
  readonly target?: { readonly place: ModelPlace; readonly activation: ActivationSetting };
}

/**
 * Returns what a pull would change. Writes nothing.
 *
 * @param store `undefined` before the first pull
 * @throws what the pull would throw before it stages a file
 */
export async function planPull(
  context: Context,
  store: Store | undefined,
  source: Source,
  options: PlanOptions,
): Promise<PullPlan> {
  const { target } = options;
  const present = store === undefined ? undefined : activeManifest(store);
  const folder = target && planFolder(target.place, target.activation, store, present);
  const revision = await source.resolve();
  const unchanged = folder === undefined && store !== undefined && present !== undefined
    ? await planUnchanged(context, store, revision, present, options)
    : undefined;
  if (unchanged !== undefined) return unchanged;
  const { offer, accepted } = await checkOffer(context, await source.inspect(revision), options);
  const manifest = offer.claim?.manifest;
  const learnt = (accepted?.manifest ?? manifest)?.withdrawals ?? [];
  const withdrawals = store === undefined ? learnt : withdrawalsInForce(store, learnt);
  const left = store && present &&
    await planRollback(context, store, present.digest, withdrawals, options.signatures);
  const active = left?.target ?? present;
  if (manifest !== undefined) {
    const refusal = refusalOf(store, manifest, active, { ...options, withdrawals });
    if (refusal !== undefined && left !== undefined) return rollbackPlan(revision, left);
    if (refusal !== undefined) throw refusal;
    if (left !== undefined && manifest.digest === active?.digest) return rollbackPlan(revision, left);
  }
  const seen = folder && target ? await presentFiles(context, target.place, folder, offer.files) : undefined;
  const changes = compareFiles(seen ?? active?.files ?? [], offer.files);
  return {
    outcome: folder === undefined && countChanges(changes) === 0 ? "unchanged" : "activated",
    revision: offer.revision.id,
    release: manifest?.digest,
    sequence: manifest?.sequence,
    changes,
    ...(folder === undefined ? {} : { folder }),
    ...(left === undefined ? {} : { rollback: left.rollback }),
    ...(accepted === undefined ? {} : { otherWriter: recordedWriter(accepted.writer) }),
  };
}

/** Returns the plan of a pull whose revision an earlier pull has brought or refused, if that plan is to do nothing. */
async function planUnchanged(
  context: Context,
  store: Store,
  { id, source }: Revision,
  active: Manifest,
  options: PlanOptions,
): Promise<PullPlan | undefined> {
  const seen = options.force ? undefined : findRevision(store, source);
  if (seen?.revision !== id || findWithdrawal(store, active.digest) !== undefined) return undefined;
  if (!isNewestFor(store, active, seen) || !await mayStayActive(context, store, active, options)) {
    refuseUnwanted(store, seen, active, options);
    return undefined;
  }
  const { digest: release, sequence } = active;
  return { outcome: "unchanged", revision: id, release, sequence, changes: compareFiles([], []) };
}

/** A rollback from a withdrawn release, and the release that it activates. */
interface LeftRelease {
  readonly rollback: PlannedRollback;
  readonly target: Manifest;
}

/** Returns the rollback that a pull begins with; `undefined` if the active release is not withdrawn, or none other is good. */
async function planRollback(
  context: Context,
  store: Store,
  active: Digest,
  withdrawals: readonly Withdrawal[],
  signatures: SignaturePolicy = NO_SIGNATURES,
): Promise<LeftRelease | undefined> {
  const withdrawn = findWithdrawn(withdrawals, active);
  if (withdrawn === undefined) return undefined;
  const readSignatures = () => Promise.resolve(signatures);
  const [first] = await rollbackTargets(context, store, active, withdrawals, readSignatures);
  if (first === undefined) return undefined;
  const target = first.manifest;
  const { at, reason } = withdrawn;
  return {
    target,
    rollback: { from: active, to: target.digest, at, ...(reason === undefined ? {} : { reason }) },
  };
}

function rollbackPlan({ id: revision }: Revision, { target, rollback }: LeftRelease): PullPlan {
  const { digest: release, sequence } = target;
  return { outcome: "rolled-back", revision, release, sequence, changes: compareFiles([], []), rollback };
}

/** Returns why a release is not wanted, if so. */
function refusalOf(
  store: Store | undefined,
  manifest: Manifest,
  active: Manifest | undefined,
  options: PlanOptions & { readonly withdrawals: readonly Withdrawal[] },
): RefusedError | undefined {
  try {
    if (store === undefined) refuseWithdrawn(options.withdrawals, manifest.digest, undefined);
    else refuseUnwanted(store, manifest, active, options);
    return undefined;
  } catch (error) {
    if (error instanceof RefusedError) return error;
    throw error;
  }
}

/** How a pull changes a model folder that shows no release of the store yet. */
export interface PlannedFolder {
  /** The new model folder: a link into the store, or a folder with copies of the release's files. */
  readonly becomes: "link" | "mirror";
  /** The fate of its content: a release to roll back to, or a folder with another name. `none`: it is empty. */
  readonly present: "release" | "aside" | "none";
  /** The evidence that this machine trains into it, because of which the pull needs `--adopt`; `null` without any. */
  readonly trainedBy: string | null;
}

/**
 * Returns how a pull changes the model folder; `undefined` where it shows a release of the store already. Writes
 * nothing.
 *
 * @throws {UsageError} code `MODELS_DIR_UNFIT`; {@link DiskError} code `OTHER_FILE_SYSTEM`; {@link RefusedError} code
 * `FOLDER_UNFIT` in mirror mode
 */
export function planFolder(
  place: ModelPlace,
  setting: ActivationSetting,
  store: Store | undefined,
  active: Manifest | undefined,
): PlannedFolder | undefined {
  const mode = planMode(place, setting);
  const folder = inspectModelFolder(place);
  if (folder.kind === "linked" || (mode === "mirror" && active !== undefined)) return undefined;
  const becomes = mode === "mirror" ? "mirror" : "link";
  const trainedBy = store === undefined ? null : trainedModels(store, mode) ?? null;
  const models = presentModels(place, mode, active !== undefined);
  if (models === "models") return { becomes, present: "release", trainedBy };
  if (mode === "mirror" && models instanceof RefusedError) throw models;
  const isEmpty = folder.kind !== "folder" || folder.isEmpty || mode === "mirror";
  return { becomes, present: isEmpty ? "none" : "aside", trainedBy };
}

/**
 * Returns the files that consumers find in the folder now, to compare them with the offered ones. Only files of the same
 * path and size are hashed: the others differ in any case.
 */
async function presentFiles(
  { fs, signal }: Pick<Context, "fs" | "signal">,
  place: ModelPlace,
  folder: PlannedFolder,
  offered: readonly OfferedFile[],
): Promise<ComparedFile[]> {
  if (folder.present !== "release") return [];
  const sizes = new Map(offered.map(({ path, size }) => [path, size]));
  const files: ComparedFile[] = [];
  for (const { path, location, info } of scanFolder(fs, place.modelsDir, "refuse").files) {
    const isSameSize = sizes.get(path) === info.size;
    const sha256 = isSameSize ? (await hashFile(fs, location, { signal })).sha256 : undefined;
    files.push({ path, sha256 });
  }
  return files;
}
