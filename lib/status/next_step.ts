import { pullCommand, pullingRole, type Role } from "../config/roles.ts";
import { inspectModelFolder } from "../store/model_folder.ts";
import type { ModelPlace, Store } from "../store/store.ts";
import { signOfTraining } from "../store/training_signs.ts";

/** The next step on a machine, as the end of a sentence. */
export interface NextStep {
  /** Where no release is active. */
  readonly whenInactive: string;
  /** Where consumers do not see the active release. */
  readonly whenUnseen: string;
}

/**
 * Returns the next step on a machine with these roles. On a trainer it is not a pull, which would replace the models that
 * are trained here. Without a configuration, no pull can work.
 *
 * @param isUnconfigured whether neither a file nor the environment sets anything
 */
export function nextStep(
  roles: readonly Role[],
  place: ModelPlace,
  store: Store | undefined,
  isUnconfigured: boolean,
): NextStep {
  const sign = store === undefined ? undefined : signOfTraining(store);
  if (sign !== undefined) {
    const trained = `this machine trains into the folder (${sign})`;
    return { whenInactive: `: ${trained}`, whenUnseen: `; ${trained}` };
  }
  if (pullingRole(roles) === undefined && roles.length > 0) {
    const other = roles.includes("publisher")
      ? "this machine publishes, with: model-sync publish"
      : "this machine syncs references and pulls no models";
    return { whenInactive: `: ${other}`, whenUnseen: `; ${other}` };
  }
  if (isUnconfigured && roles.length === 0) {
    const init = "; write a configuration with: model-sync init";
    return { whenInactive: init, whenUnseen: init };
  }
  const command = pullCommand(roles);
  const folder = inspectModelFolder(place);
  return {
    whenInactive: folder.kind === "folder" && !folder.isEmpty
      ? ": the folder holds models that were not pulled; if this machine trains them, run model-sync publish"
      : `; pull one with: ${command}`,
    whenUnseen: `; run ${command}`,
  };
}
