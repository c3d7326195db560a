import type { OfferedFile } from "../carriers/carrier.ts";
import type { Context } from "../core/context.ts";
import { RefusedError } from "../core/errors.ts";
import { hashFile } from "../core/hash.ts";
import type { ActivationSetting } from "../config/choices.ts";
import type { ComparedFile } from "../release/changes.ts";
import type { Manifest } from "../release/manifest.ts";
import { scanFolder } from "../release/scan_folder.ts";
import { inspectModelFolder, type ModelPlace, planMode } from "../store/model_folder.ts";
import type { Store } from "../store/store.ts";
import { presentModels, questionOfAdoption } from "./trained_folder.ts";

/** How a pull changes a model folder that shows no release of the store yet. */
export interface PlannedFolder {
  /** A link into the store, or a folder with copies of the release's files. */
  readonly becomes: "link" | "mirror";
  /** Its content becomes a release to roll back to, or a folder with another name; `none`: it holds nothing. */
  readonly present: "release" | "aside" | "none";
  /** The sign that this machine trains into it, for which the pull needs `--adopt`; `null` without one. */
  readonly trainedBy: string | null;
}

/**
 * Returns how a pull changes the model folder; `undefined` where it shows a release of the store already. Writes
 * nothing.
 *
 * @throws {UsageError} code `MODELS_DIR_UNFIT`; `DiskError` code `OTHER_FILE_SYSTEM`; {@link RefusedError} code `FOLDER_UNFIT` where files are replaced one by
 * one
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
  const trainedBy = store === undefined ? null : questionOfAdoption(store, mode) ?? null;
  const models = presentModels(place, mode, active !== undefined);
  if (models === "models") return { becomes, present: "release", trainedBy };
  if (mode === "mirror" && models instanceof RefusedError) throw models;
  const isEmpty = folder.kind !== "folder" || folder.isEmpty || mode === "mirror";
  return { becomes, present: isEmpty ? "none" : "aside", trainedBy };
}

/**
 * Returns the files that consumers find in the folder now, for a comparison with those on offer. Only files of the same
 * path and size are read: the others differ in any case.
 */
export async function presentFiles(
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
