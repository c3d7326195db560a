import { messageAndHint } from "../lib/core/errors.ts";
import type { Log } from "../lib/core/log.ts";
import type { Access } from "./access/access.ts";
import { passwordOfEnvironment, type PasswordSource } from "./access/password_source.ts";
import { REFUSALS } from "./access/refusals.ts";
import type { AccessSetup } from "./access/visit.ts";

/**
 * Logs at the start of a hosted dashboard what it still needs, the database and the password, and how to add it. Every
 * page says the same, but a new app's log is read first.
 *
 * @param open opens the database. Rejects if it is missing
 */
export async function reportSetup(
  log: Log,
  { env, isDeploy }: Pick<AccessSetup, "env" | "isDeploy">,
  open: () => Promise<{ readonly access: Pick<Access, "password"> }>,
): Promise<void> {
  const found = await findPassword(open).catch((error) => log.error(messageAndHint(error)));
  // Without a database, only the password of the environment is known.
  const denial = passwordProblem(found ?? passwordOfEnvironment(env), isDeploy);
  if (denial !== undefined) log.error(`${denial.message}; ${denial.hint}`);
  else if (found !== undefined) log.info("the dashboard has its database and a password");
}

async function findPassword(
  open: () => Promise<{ readonly access: Pick<Access, "password"> }>,
): Promise<PasswordSource> {
  const { access } = await open();
  return await access.password();
}

function passwordProblem(source: PasswordSource | undefined, isDeploy: boolean) {
  if (source?.kind === "broken") return REFUSALS.brokenPassword(source.fault);
  return source?.kind === "set" ? undefined : REFUSALS.noPassword(isDeploy);
}
