import { pullCommand } from "../lib/config/roles.ts";
import { ModelSyncError } from "../lib/core/errors.ts";
import { machineRoles, machineUse } from "../lib/status/machine_use.ts";
import { ANY_PULL, namePull } from "../lib/store/pointers.ts";
import type { Session } from "./_session.ts";

/** Returns the command with which this machine pulls models: `model-sync hf-pull`. */
export async function ownPull({ context, config, location }: Session): Promise<string> {
  return pullCommand(machineRoles(config, await machineUse(context, location)));
}

/** Puts the machine's own command for a pull into the hint of an error of the store. */
export async function nameOwnPull(session: Session, error: unknown): Promise<void> {
  if (!(error instanceof ModelSyncError) || !error.hint?.includes(ANY_PULL)) return;
  error.reviseHint(namePull(error.hint, await ownPull(session)));
}
