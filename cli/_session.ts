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
import type { Output } from "./_output.ts";

/** The configuration and the outside world of a command. */
export interface Session {
  readonly context: Context;
  readonly output: Output;
  readonly permissions: Permissions;
  readonly config: LoadedConfig;
  readonly settings: ModelSync;
  /** The model folder and its store. */
  readonly location: StoreLocation;
  /** Sets how long the work may continue after the first signal, instead of `model_sync.stop_timeout_sec`. */
  readonly stopWithin: (timeoutMs: number) => void;
  /** Says that the command shows something until it is stopped: the first signal then ends it without a message. */
  readonly endsOnStop: () => void;
  /** Whether a run waits for the store's lock, as a daemon's does, instead of failing. */
  readonly waitsForLock?: boolean;
  /** Returns the log of a daemon's run, which names the role. */
  readonly wrapLog?: (log: Log) => Log;
}

/** As {@link Session}, for commands that need no valid configuration or read it more than once. */
export interface PlainSession {
  readonly context: Context;
  readonly output: Output;
  readonly permissions: Permissions;
  readonly cron: Cron;
  /** Reads the configuration. @throws {ConfigError} */
  readonly load: () => Promise<LoadedConfig>;
  /** Sets how long the work may continue after the first signal, instead of `model_sync.stop_timeout_sec`. */
  readonly stopWithin: (timeoutMs: number) => void;
  /** Says that the command shows something until it is stopped: the first signal then ends it without a message. */
  readonly endsOnStop: () => void;
}

/** Reads the configuration and returns the session with it. */
export async function openSession(plain: PlainSession): Promise<Session> {
  const { context, output, permissions, load, stopWithin, endsOnStop } = plain;
  const config = await load();
  const { settings } = config;
  const location = { modelsDir: settings.models_dir, stateDir: settings.state_dir };
  return { context, output, permissions, config, settings, location, stopWithin, endsOnStop };
}

/** The configuration file and the model folder at the top of a report. */
export interface Heading {
  /** The absolute path of the configuration file; `null` without a file. */
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
  const none = `none: no ${DEFAULT_CONFIG_FILE} and no ${APPSETTINGS_FILE} in ${fs.cwd()}`;
  return [`configuration  ${configFile ?? none}`, `model folder   ${modelsDir}`];
}

/**
 * Returns the store of an earlier pull. Creating an empty one would hide a wrong path.
 *
 * @throws {UsageError} code `STORE_MISSING`
 */
export function openExistingStore(session: Session): Store {
  requireStore(session);
  return openStore(session.context.fs, session.location, session.context.log);
}

/** As {@link openExistingStore}, for commands that change nothing. */
export function requireStore(session: Session): Store {
  const store = findStore(session.context.fs, session.location, session.context.log);
  if (store !== undefined) return store;
  throw new UsageError(
    `Cannot find a store for ${session.location.modelsDir}: nothing was pulled or published there yet`,
    {
      code: "STORE_MISSING",
      hint: "pull or publish first, or name the folder with --models-dir or --state-dir",
    },
  );
}

const NARROWED = ["net", "run"] as const;
/** A permission that depends on the carrier and the configuration. */
export type Need = (typeof NARROWED)[number];

/**
 * Gives up the permissions that neither the command nor the configuration needs, before any model is read. A pull from
 * a git registry that is not reached by HTTP then cannot open a connection itself, even if a model exploits a flaw of this program. The git that
 * it runs still can.
 *
 * @param needs the permissions that the command needs under every configuration
 * @throws {UsageError} code `PERMISSION_GIVEN_UP` when the configuration changed and now needs a permission given up
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

/** Gives up everything but reading, for a subcommand that changes nothing. */
export function narrowToReading({ permissions }: Pick<Session, "permissions">): void {
  for (const name of ["net", "run", "write"] as const) permissions.giveUp(name);
}

/** Gives up what a command does not need that only records and reports a run. */
export function narrowToReporting(
  { settings, permissions }: Pick<Session, "settings" | "permissions">,
): void {
  permissions.giveUp("run");
  if (!reportsByNet(settings)) permissions.giveUp("net");
}

/** Returns permissions that keep those that other roles of this process need. */
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
    "Cannot use the changed settings of activation, alerts or report: when it started, this process gave up the " +
      `permission to ${what}, which no setting needed`,
    { code: "PERMISSION_GIVEN_UP", hint: "restart the daemon" },
  );
}

/** Returns the permissions that hooks, metrics, alerts and reports need. */
function configuredNeeds(settings: ModelSync): Need[] {
  const { validate, reload, canary } = settings.activation;
  const types = [...reload, ...canary.metrics].map(({ type }) => type);
  const usesNet = types.some((type) => !LOCAL_TYPES.includes(type)) || reportsByNet(settings);
  // ONNX models are loaded in a process of their own.
  const runs = validate.enabled || types.some((type) => RUNNING_TYPES.includes(type));
  return [...(usesNet ? ["net" as const] : []), ...(runs ? ["run" as const] : [])];
}

function reportsByNet({ alerts, report }: ModelSync): boolean {
  return alerts.email.host !== undefined || alerts.webhook.url !== undefined || alerts.chat.length > 0 ||
    report.url !== undefined || report.ping.url_env !== undefined;
}

/** Deno counts sending a signal as running a program. */
const RUNNING_TYPES = ["command", "signal"];

const LOCAL_TYPES = [...RUNNING_TYPES, "file"];

/**
 * Returns the settings of a long-running command, which reads them again when their file changes.
 *
 * @param config the value of `--config`
 * @param settings the settings at the start
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
