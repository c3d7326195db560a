import { RefusedError } from "../core/errors.ts";
import type { ActivationMode, ActivationSetting } from "../config/choices.ts";
import { scanModels } from "../store/adopt.ts";
import { inspectModelFolder, type ModeChoice, planMode } from "../store/model_folder.ts";
import type { ModelPlace, Store } from "../store/store.ts";
import { readPointer } from "../store/pointers.ts";
import { signOfTraining, TRAINED_FOLDER } from "../store/training_signs.ts";

/**
 * Returns what an activation would replace in a real model folder: `models`, `no models`, or the refusal if a release
 * cannot hold its files. Of a folder that a release was mirrored into, it replaces no other files.
 */
export function presentModels(
  place: ModelPlace,
  mode: ActivationMode,
  hasRelease: boolean,
): ReturnType<typeof scanModels> {
  if (inspectModelFolder(place).kind !== "folder" || (mode === "mirror" && hasRelease)) return "no models";
  return scanModels(place);
}

/** Returns the evidence of training, if an activation would replace models that this machine trains. */
export function trainedModels(store: Store, mode: ActivationMode): string | undefined {
  const sign = signOfTraining(store);
  if (sign === undefined) return undefined;
  const hasRelease = readPointer(store, "current") !== undefined;
  return presentModels(store, mode, hasRelease) === "no models" ? undefined : sign;
}

/** As {@link trainedModels}, before a pull. */
export function trainedModelsBeforePull(store: Store, setting: ActivationSetting): string | undefined {
  if (inspectModelFolder(store).kind !== "folder") return undefined;
  return trainedModels(store, planMode(store, setting));
}

/**
 * Refuses to replace a folder that this machine trains into, unless the operator agreed: the next training would write
 * into the active release, and the next publish would refuse to train.
 *
 * @throws {RefusedError} code `TRAINED_FOLDER`
 */
export function refuseTrainedFolder(
  store: Store,
  { mode, adopts = false }: Pick<ModeChoice, "mode" | "adopts">,
): void {
  const sign = adopts ? undefined : trainedModels(store, mode);
  if (sign === undefined) return;
  throw new RefusedError(
    `Cannot activate a release in ${store.modelsDir}: this machine trains into that folder (${sign})`,
    {
      code: TRAINED_FOLDER,
      hint:
        "pull into another folder with --models-dir; or add --adopt to the pull, which then replaces the " +
        "folder, and train into another one from then on",
    },
  );
}
