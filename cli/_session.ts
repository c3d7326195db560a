import { APPSETTINGS_FILE } from "../lib/config/appsettings.ts";
import type { LoadedConfig } from "../lib/config/load.ts";
import type { ModelSync } from "../lib/config/schema.ts";
import type { Context } from "../lib/core/context.ts";
import { UsageError } from "../lib/core/errors.ts";
import { absolutePath } from "../lib/core/files.ts";
import type { Log } from "../lib/core/log.ts";
import type { Cron } from "../lib/daemon/ticks.ts";
import { findStore, openStore, type Store, type StoreLocation } from "../lib/store/store.ts";
import { FollowedSettings } from "../lib/daemon/followed_settings.ts";
import { DEFAULT_CONFIG_FILE } from "./_options.ts";
import type { Permissions } from "./_world.ts";
import { Output } from "./_output.ts";

/** What a command's work gets. */
export interface Session {
  readonly context: Context;
  readonly output: Output;
  readonly permissions: Permissions;
  readonly config: LoadedConfig;
  readonly settings: ModelSync;
  /** The model folder and its store. */
  readonly location: StoreLocation;
  /** Gives the work this long to end after the first signal, instead of `model_sync.stop_timeout_sec`. */
  readonly stopWithin: (timeoutMs: number) => void;
  /** Whether its runs wait for one that holds the store, as a daemon's do, instead of failing. */
  readonly waitsForLock?: boolean;
  /** Makes of a log the one that its runs write to, where that is not the command's own. */
  readonly wrapLog?: (log: Log) => Log;
}

/** What a command gets that works without a valid configuration, or reads it more than once. */
export interface PlainSession {
  readonly context: Context;
  readonly output: Output;
  readonly permissions: Permissions;
  readonly cron: Cron;
  /** Reads the configuration. @throws {ConfigError} */
  readonly load: () => Promise<LoadedConfig>;
  /** Gives the work this long to end after the first signal, instead of `model_sync.stop_timeout_sec`. */
  readonly stopWithin: (timeoutMs: number) => void;
}

/** Reads the configuration as it is now. */
export async function openSession(plain: PlainSession): Promise<Session> {
  const { context, output, permissions, load, stopWithin } = plain;
  const config = await load();
  const { settings } = config;
  const location = { modelsDir: settings.models_dir, stateDir: settings.state_dir };
  return { context, output, permissions, config, settings, location, stopWithin };
}

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

/**
 * The store of a command that works on what an earlier pull left. Making an empty one would only hide a wrong path.
 *
 * @throws {UsageError} code `STORE_MISSING`
 */
export function openExistingStore(session: Session): Store {
  requireStore(session);
  return openStore(session.context.fs, session.location, session.context.log);
}

/** As {@link openExistingStore} for a command that changes nothing. */
export function requireStore(session: Session): Store {
  const store = findStore(session.context.fs, session.location, session.context.log);
  if (store !== undefined) return store;
  throw new UsageError(
    `Cannot find a store for ${session.location.modelsDir}: nothing was pulled there yet`,
    {
      code: "STORE_MISSING",
      hint: "run model-sync pull first, or name the folder with --models-dir or --state-dir",
    },
  );
}

const NARROWED = ["net", "run"] as const;
/** What a command may need for its carrier, or for what is configured around it. */
export type Need = (typeof NARROWED)[number];

/**
 * Gives up what neither the command nor the configuration needs, as soon as that is known: a pull from git without
 * hooks cannot open a connection, whatever a model makes it do.
 *
 * @param needs what the command needs whatever is configured
 * @throws {UsageError} code `PERMISSION_GIVEN_UP` when a configuration that changed needs what was given up
 */
export function narrowPermissions(
  { settings, permissions }: Pick<Session, "settings" | "permissions">,
  needs: readonly Need[],
): void {
  const needed = new Set<Need>([...needs, ...configuredNeeds(settings)]);
  for (const name of NARROWED) {
    if (needed.has(name)) {
      if (permissions.givenUp.has(name)) throw givenUpError(name);
    } else {
      permissions.giveUp(name);
    }
  }
}

/** Gives up what a command does not need that neither pulls nor activates, but is reported. */
export function narrowToReporting(
  { settings, permissions }: Pick<Session, "settings" | "permissions">,
): void {
  permissions.giveUp("run");
  if (!reportsByNet(settings)) permissions.giveUp("net");
}

/** Permissions of which these are not given up: something else in this process needs them. */
export function keepPermissions(permissions: Permissions, needs: readonly Need[]): Permissions {
  const kept: readonly string[] = needs;
  return {
    givenUp: permissions.givenUp,
    giveUp: (name) => kept.includes(name) ? undefined : permissions.giveUp(name),
  };
}

function givenUpError(name: Need): UsageError {
  const what = name === "net" ? "open connections" : "run programs";
  return new UsageError(
    `Cannot use what is configured under activation, alerts or report: this process gave up the permission to ${what} ` +
      "when nothing needed it",
    { code: "PERMISSION_GIVEN_UP", hint: "start the daemon again" },
  );
}

/** What hooks, metrics, alerts and reports need. */
function configuredNeeds(settings: ModelSync): Need[] {
  const { validate, reload, canary } = settings.activation;
  const types = [...reload, ...canary.metrics].map(({ type }) => type);
  const usesNet = types.some((type) => !LOCAL_TYPES.includes(type)) || reportsByNet(settings);
  // Models are tried in a process of their own.
  const runs = validate.enabled || types.some((type) => RUNNING_TYPES.includes(type));
  return [...(usesNet ? ["net" as const] : []), ...(runs ? ["run" as const] : [])];
}

function reportsByNet({ alerts, report }: ModelSync): boolean {
  return alerts.email.host !== undefined || alerts.webhook.url !== undefined || alerts.chat.length > 0 ||
    report.url !== undefined || report.ping.url_env !== undefined;
}

/** Sending a signal counts as running, for the runtime. */
const RUNNING_TYPES = ["command", "signal"];

const LOCAL_TYPES = [...RUNNING_TYPES, "file"];

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
