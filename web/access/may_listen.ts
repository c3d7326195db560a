import { UsageError } from "../../lib/core/errors.ts";
import { HASH_VARIABLE, PASSWORD_VARIABLE, type PasswordSource } from "./password_source.ts";
import { isLoopbackName } from "./request_host.ts";

/**
 * Throws where the dashboard must not listen: on an address that other machines reach, without a password; or with a
 * password that cannot be used. Check the address that was asked for, and the one that the system bound.
 *
 * @param hostname as in `--listen`; a name other than `localhost` counts as reachable, whatever it is resolved to
 * @throws {UsageError} codes `PASSWORD_MISSING`, `PASSWORD_UNUSABLE`
 */
export function mayListen(hostname: string, source: PasswordSource): void {
  if (source.kind === "broken") {
    throw new UsageError(`Cannot start the dashboard: ${source.fault}`, {
      code: "PASSWORD_UNUSABLE",
      hint: `set ${PASSWORD_VARIABLE} or ${HASH_VARIABLE} to a password that can be used, or remove it`,
    });
  }
  if (source.kind === "set" || isLoopbackName(hostname)) return;
  throw new UsageError(
    `Cannot start the dashboard on ${hostname}: other machines can reach this address, and no password is set`,
    {
      code: "PASSWORD_MISSING",
      hint: `run model-sync dashboard --set-password, set ${PASSWORD_VARIABLE}, or listen on 127.0.0.1`,
    },
  );
}
