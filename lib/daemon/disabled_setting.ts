import { ENV_PREFIX } from "../config/env_prefix.ts";
import { describeOrigin } from "../config/config_error.ts";
import type { LoadedConfig } from "../config/load.ts";
import type { Role } from "../config/roles.ts";
import { UsageError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";

/**
 * Refuses to start a daemon that a `MODEL_SYNC_` variable disables. `enabled: false` in a file is only logged: the
 * seeds ship it in their files and never read it.
 *
 * @throws {UsageError} code `DISABLED`
 */
export function refuseDisabled(
  { settings, origins }: Pick<LoadedConfig, "settings" | "origins">,
  roles: readonly Role[],
  log: Pick<Log, "warn">,
): void {
  const switches: [key: string, isOn: boolean][] = [["enabled", settings.enabled]];
  if (roles.includes("runpod_client")) switches.push(["runpod.enabled", settings.runpod.enabled]);
  for (const [key] of switches.filter(([, isOn]) => !isOn)) {
    const origin = origins.get(key);
    if (origin?.kind === "environment" && origin.name.startsWith(ENV_PREFIX)) {
      throw new UsageError(`Cannot start the daemon: ${origin.name} is false`, {
        code: "DISABLED",
        hint: "set it to true, or run the command by hand",
      });
    }
    const place = origin === undefined ? "" : ` (${describeOrigin(origin)})`;
    log.warn(
      `model_sync.${key} is false${place}, which has no effect: the daemon starts; to stop a role, model-sync pause ROLE`,
    );
  }
}
