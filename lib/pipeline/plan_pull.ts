import type { OfferedFile, Source } from "../carriers/carrier.ts";
import type { Context } from "../core/context.ts";
import { RefusedError } from "../core/errors.ts";
import { hashFile } from "../core/hash.ts";
import type { ActivationSetting } from "../config/choices.ts";
import { type ChangeList, type ComparedFile, compareFiles, countChanges } from "../release/changes.ts";
import type { Digest, Manifest } from "../release/manifest.ts";
import { scanFolder } from "../release/scan_folder.ts";
import type { RecordedWriter } from "../store/recorded_writer.ts";
import { inspectModelFolder, planMode } from "../store/model_folder.ts";
import { activeManifest } from "../store/pointers.ts";
import { findRevision } from "../store/revisions.ts";
import type { ModelPlace, Store } from "../store/store.ts";
import {
  checkOffer,
  mayStayActive,
  recordedWriter,
  refuseUnwanted,
  type TrustOptions,
} from "./check_offer.ts";
import { presentModels, trainedModels } from "./trained_folder.ts";

/** The changes that a pull would make. */
export interface PullPlan {
  readonly outcome: "activated" | "unchanged";
  readonly revision: string;
  readonly release: Digest | undefined;
  readonly sequence: number | undefined;
  readonly changes: ChangeList;
  /** How the pull changes a model folder that shows no release of the store yet. */
  readonly folder?: PlannedFolder;
  /** The other program whose change of the files is accepted. */
  readonly otherWriter?: RecordedWriter;
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
  const active = store === undefined ? undefined : activeManifest(store);
  const folder = target && planFolder(target.place, target.activation, store, active);
  const revision = await source.resolve();
  const seen = store === undefined || options.force ? undefined : findRevision(store, revision.source);
  if (store !== undefined && seen?.revision === revision.id) {
    refuseUnwanted(store, seen, active, options);
    const isActive = folder === undefined && active?.digest === seen.digest;
    if (isActive && await mayStayActive(context, store, active, options)) {
      const { digest: release, sequence } = active;
      return {
        outcome: "unchanged",
        revision: revision.id,
        release,
        sequence,
        changes: compareFiles([], []),
      };
    }
  }
  const { offer, accepted } = await checkOffer(context, await source.inspect(revision), options);
  const manifest = offer.claim?.manifest;
  if (store !== undefined && manifest !== undefined) refuseUnwanted(store, manifest, active, options);
  const present = folder && target
    ? await presentFiles(context, target.place, folder, offer.files)
    : undefined;
  const changes = compareFiles(present ?? active?.files ?? [], offer.files);
  return {
    outcome: folder === undefined && countChanges(changes) === 0 ? "unchanged" : "activated",
    revision: offer.revision.id,
    release: manifest?.digest,
    sequence: manifest?.sequence,
    changes,
    ...(folder === undefined ? {} : { folder }),
    ...(accepted === undefined ? {} : { otherWriter: recordedWriter(accepted.writer) }),
  };
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
