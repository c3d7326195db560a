import { configuredRoles, type Role, ROLE_COMMANDS } from "../config/roles.ts";
import type { ModelSync } from "../config/schema.ts";
import { inspectModelFolder } from "../store/model_folder.ts";
import type { ModelPlace, Store } from "../store/store.ts";
import { signOfTraining } from "../store/training_signs.ts";

const PULLING_ROLES: readonly Role[] = ["client", "runpod_client", "artifact_client", "huggingface_client"];

/** The next step on a machine, as the end of a sentence. */
export interface NextStep {
  /** Where no release is active. */
  readonly whenInactive: string;
  /** Where consumers do not see the active release. */
  readonly whenUnseen: string;
}

/** Returns the next step. On a trainer it is not a pull, which would replace the models that are trained here. */
export function nextStep(settings: ModelSync, place: ModelPlace, store: Store | undefined): NextStep {
  const sign = store === undefined ? undefined : signOfTraining(store);
  if (sign !== undefined) {
    const trained = `this machine trains into the folder (${sign})`;
    return { whenInactive: `: ${trained}`, whenUnseen: `; ${trained}` };
  }
  const roles = configuredRoles(settings);
  if (roles.length === 1 && roles[0] === "references") {
    const other = "this machine syncs references and pulls no models";
    return { whenInactive: `: ${other}`, whenUnseen: `; ${other}` };
  }
  const [role = "client"] = roles.filter((role) => PULLING_ROLES.includes(role));
  const command = ROLE_COMMANDS[role];
  const folder = inspectModelFolder(place);
  return {
    whenInactive: folder.kind === "folder" && !folder.isEmpty
      ? ": the folder holds models that were not pulled; if this machine trains them, run model-sync publish"
      : `; pull one with: model-sync ${command}`,
    whenUnseen: `; run model-sync ${command}`,
  };
}
