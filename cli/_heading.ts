import { APPSETTINGS_FILE } from "../lib/config/appsettings.ts";
import { absolutePath } from "../lib/core/files.ts";
import { DEFAULT_CONFIG_FILE, type Session } from "./_command.ts";

/** The configuration and the folder that a command reports on. */
export interface Heading {
  /** The absolute path of the configuration file; `null` when there is none. */
  readonly configFile: string | null;
  readonly modelsDir: string;
}

export function headingOf({ context: { fs }, config, location }: Session): Heading {
  return {
    configFile: config.file === undefined ? null : absolutePath(fs, config.file),
    modelsDir: absolutePath(fs, location.modelsDir),
  };
}

export function headingLines({ context: { fs } }: Session, { configFile, modelsDir }: Heading): string[] {
  const none = `none: there is no ${DEFAULT_CONFIG_FILE} and no ${APPSETTINGS_FILE} in ${fs.cwd()}`;
  return [`configuration  ${configFile ?? none}`, `model folder   ${modelsDir}`];
}
