import { messageAndHint, ModelSyncError } from "../lib/core/errors.ts";
import type { Log } from "../lib/core/log.ts";
import type { Access } from "./access/access.ts";
import { passwordOfEnvironment, type PasswordSource } from "./access/password_source.ts";
import { REFUSALS } from "./access/refusals.ts";
import type { AccessSetup } from "./access/visit.ts";

/** Codes of a missing database. A database that only cannot be read now may hold the password. */
const MISSING: readonly string[] = ["DATABASE_NOT_ASSIGNED", "DATABASE_PLACE"];

/**
 * Logs at the start of a hosted dashboard what it still needs, the database and the password, and how to add it. Every
 * page says the same, but a new app's log is read first.
 *
 * @param open opens the database. Rejects if it is missing
 */
export async function reportSetup(
  log: Log,
  setup: Pick<AccessSetup, "env" | "isDeploy">,
  open: () => Promise<{ readonly access: Pick<Access, "password"> }>,
): Promise<void> {
  const faults = await findPassword(open).then(
    (source) => passwordFaults(source, setup.isDeploy),
    (error) => setupFaults(error, setup),
  );
  for (const fault of faults) log.error(fault);
  if (faults.length === 0) log.info("the dashboard has its database and a password");
}

/** Returns everything that a hosted dashboard lacks which could not open its database, and how to add it. */
export function setupFaults(
  error: unknown,
  { env, isDeploy }: Pick<AccessSetup, "env" | "isDeploy">,
): string[] {
  const isMissing = error instanceof ModelSyncError && MISSING.includes(error.code);
  const source = passwordOfEnvironment(env) ?? (isMissing ? { kind: "none" } as const : undefined);
  return [messageAndHint(error), ...(source === undefined ? [] : passwordFaults(source, isDeploy))];
}

async function findPassword(
  open: () => Promise<{ readonly access: Pick<Access, "password"> }>,
): Promise<PasswordSource> {
  const { access } = await open();
  return await access.password();
}

function passwordFaults(source: PasswordSource, isDeploy: boolean): string[] {
  if (source.kind === "set") return [];
  const { message, hint } = source.kind === "broken"
    ? REFUSALS.brokenPassword(source.fault)
    : REFUSALS.noPassword(isDeploy);
  return [`${message}; ${hint}`];
}
