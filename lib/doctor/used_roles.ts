import type { Context } from "../core/context.ts";
import { ModelSyncError } from "../core/errors.ts";
import { systemFault } from "../core/system_fault.ts";
import { type Role, ROLE_COMMANDS, ROLES } from "../schedule/roles.ts";
import { readDaemons } from "../store/daemons.ts";
import { readHistory } from "../store/history.ts";
import { findStore, type StoreLocation } from "../store/store.ts";

/** Ten days of a pull every quarter of an hour. */
const HISTORY_LOOKBACK = 1000;

/**
 * Returns the roles that this machine has in fact: those of its daemons, and those whose commands it ran. None where the
 * store cannot be read: its own checks say why.
 */
export async function usedRoles(context: Context, location: StoreLocation): Promise<ReadonlySet<Role>> {
  try {
    return await findRoles(context, location);
  } catch (error) {
    if (!(systemFault(error, "read the history") instanceof ModelSyncError)) throw error;
    return new Set();
  }
}

async function findRoles(context: Context, location: StoreLocation): Promise<ReadonlySet<Role>> {
  const store = findStore(context.fs, location);
  if (store === undefined) return new Set();
  const daemons = new Set((await readDaemons(context, store)).map(({ role }) => role));
  const commands = new Set(readHistory(store, HISTORY_LOOKBACK).map(({ command }) => command));
  return new Set(ROLES.filter((role) => daemons.has(role) || commands.has(ROLE_COMMANDS[role])));
}
