import { APPSETTINGS_FILE } from "../lib/config/appsettings.ts";
import type { ModelSync } from "../lib/config/schema.ts";
import { FollowedSettings } from "../lib/daemon/followed_settings.ts";
import { DEFAULT_CONFIG_FILE, openSession, type PlainSession } from "./_command.ts";

/**
 * Returns the settings of a command that runs for long: read again when their file has changed.
 *
 * @param config `--config`
 * @param settings as they were read at the start
 */
export function followSettings(
  plain: PlainSession,
  config: string | undefined,
  settings: ModelSync,
): FollowedSettings {
  return new FollowedSettings(plain.context, {
    paths: config === undefined ? [DEFAULT_CONFIG_FILE, APPSETTINGS_FILE] : [config],
    load: async () => (await openSession(plain)).settings,
  }, settings);
}
