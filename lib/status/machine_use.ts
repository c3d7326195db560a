import type { Context } from "../core/context.ts";
import { ModelSyncError } from "../core/errors.ts";
import { systemFault } from "../core/system_fault.ts";
import { givesSection, type LoadedConfig } from "../config/load.ts";
import { configuredRoles, type Role, ROLE_COMMANDS, ROLES } from "../config/roles.ts";
import { readDaemons } from "../store/daemons.ts";
import { hasField, HISTORY_LOOKBACK, newestRuns, TRAINING_COMMANDS } from "../store/history.ts";
import { findStore, type StoreLocation } from "../store/store.ts";
import { TRAINED_FOLDER } from "../store/training_signs.ts";

/** The use of a machine. One configuration file may serve the trainer and all its clients. */
export interface MachineUse {
  /** The roles that the operator named; else those of its daemons, and those whose commands it ran. */
  readonly roles: ReadonlySet<Role>;
  /** Whether it has roles, and neither trains nor publishes: then it needs no settings of a trainer. */
  readonly neverTrains: boolean;
}

/** The use of a machine that has not run anything. */
export const UNUSED: MachineUse = { roles: new Set(), neverTrains: false };

/** Returns the use of a machine with these roles. */
export function useFor(roles: readonly Role[]): MachineUse {
  return { roles: new Set(roles), neverTrains: !roles.includes("publisher") };
}

/** The roles that share the settings of a git registry. */
const GIT_ROLES: readonly Role[] = ["publisher", "client"];

/**
 * Returns the configured roles that this machine has. The settings of a git registry are those of the trainer and of its
 * clients: the use of the machine, or else the sections of the configuration, say which of both it is.
 */
export function machineRoles(
  config: Pick<LoadedConfig, "settings" | "origins">,
  { roles: used }: Pick<MachineUse, "roles">,
): Role[] {
  const configured = configuredRoles(config.settings);
  const isUsed = GIT_ROLES.some((role) => used.has(role));
  const isTrainer = configured.includes("publisher") && !givesSection(config, "client");
  return ROLES.filter((role) => {
    if (GIT_ROLES.includes(role) && isUsed) return used.has(role);
    return configured.includes(role) && !(role === "client" && isTrainer);
  });
}

/**
 * Returns the use of this machine so far; {@link UNUSED} where the store cannot be read, which its own checks report.
 * Needs read permission.
 */
export async function machineUse(context: Context, location: StoreLocation): Promise<MachineUse> {
  try {
    return await readUse(context, location);
  } catch (error) {
    if (!(systemFault(error, "read the history") instanceof ModelSyncError)) throw error;
    return UNUSED;
  }
}

async function readUse(context: Context, location: StoreLocation): Promise<MachineUse> {
  const store = findStore(context.fs, location);
  if (store === undefined) return UNUSED;
  const daemons = new Set((await readDaemons(context, store)).map(({ role }) => role));
  const commands = new Set<string>();
  const isKnown = (line: string) => commands.values().some((command) => hasField(line, "command", command));
  for (const { command, error } of newestRuns(store, HISTORY_LOOKBACK, (line) => !isKnown(line))) {
    // A pull that was refused because the machine trains into its folder makes it no client.
    if (error?.code !== TRAINED_FOLDER) commands.add(command);
  }
  const roles = new Set(ROLES.filter((role) => daemons.has(role) || commands.has(ROLE_COMMANDS[role])));
  const trains = roles.has("publisher") || TRAINING_COMMANDS.some((command) => commands.has(command));
  return { roles, neverTrains: !trains && roles.size > 0 };
}
