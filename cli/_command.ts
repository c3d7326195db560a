import {
  type Aliases,
  type Application,
  buildApplication,
  type Command,
  type CommandContext,
  type FlagParametersForType,
  type PartialApplicationConfiguration,
  type RouteMap,
  run as runApplication,
} from "@stricli/core";
import { APPSETTINGS_FILE } from "../lib/config/appsettings.ts";
import { CONFIG_BYTES_MAX, type FlagValue, loadConfig, type LoadedConfig } from "../lib/config/load.ts";
import type { ModelSync } from "../lib/config/schema.ts";
import type { Context } from "../lib/core/context.ts";
import { RolledBackError } from "../lib/pipeline/rolled_back_error.ts";
import { EXIT, type ExitCode, firstFailure, InterruptedError, UsageError } from "../lib/core/errors.ts";
import { findUtf8 } from "../lib/core/files.ts";
import type { Log } from "../lib/core/log.ts";
import { outgoingHttp } from "../lib/core/outgoing_http.ts";
import { ownerWrites } from "../lib/core/owner_writes.ts";
import { parseRate } from "../lib/core/rate_limit.ts";
import type { Cron } from "../lib/daemon/ticks.ts";
import type { StoreLocation } from "../lib/store/store.ts";
import { readEnvironment } from "./_environment.ts";
import { Output } from "./_output.ts";
import { stopOnSignals } from "./_stop.ts";
import type { CommandName } from "./_summaries.ts";
import { type Permissions, processWorld, type World } from "./_world.ts";

/** Read when `--config` is not given; it need not exist. */
export const DEFAULT_CONFIG_FILE = "configs/bot.yaml";

/** Options of every command. */
export interface CommonFlags {
  readonly config?: string;
  readonly modelsDir?: string;
  readonly stateDir?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
  readonly logFormat?: "text" | "json";
}

/** An option that takes any text. */
export function textFlag(brief: string) {
  return { kind: "parsed", parse: String, optional: true, brief } as const;
}

/** An option that is given or not. */
export function switchFlag(brief: string) {
  return { kind: "boolean", optional: true, withNegated: false, brief } as const;
}

/** An option that takes a JSON object. */
export function jsonFlag(brief: string) {
  const parse = (text: string): Record<string, unknown> => {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
    throw new TypeError("it must be a JSON object");
  };
  return { kind: "parsed", parse, optional: true, brief } as const;
}

/** An option that takes a whole number of at least `least`. */
export function integerFlag(brief: string, least: number) {
  const parse = (text: string) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < least) {
      throw new RangeError(`it must be a whole number of at least ${least}`);
    }
    return value;
  };
  return { kind: "parsed", parse, optional: true, brief } as const;
}

/** An option that takes an amount of bytes a second. */
export function rateFlag(brief: string) {
  return { kind: "parsed", parse: parseRate, optional: true, brief } as const;
}

export const COMMON_FLAGS: FlagParametersForType<CommonFlags> = {
  config: textFlag(`configuration file (default: ${DEFAULT_CONFIG_FILE}, if it exists)`),
  modelsDir: textFlag("the model folder (default: models)"),
  stateDir: textFlag("the store (default: .model-sync beside the model folder)"),
  json: switchFlag("print one JSON object instead of text"),
  quiet: switchFlag("print only warnings and errors; --json still prints its object"),
  verbose: switchFlag("also log debug messages"),
  logFormat: {
    kind: "enum",
    values: ["text", "json"],
    optional: true,
    brief: "format of log lines (default: text)",
  },
};

export const COMMON_ALIASES = { q: "quiet", v: "verbose" } as const satisfies Aliases<keyof CommonFlags>;

/** Which settings options stand for, by the options' names. */
export type FlagSettings = Readonly<Record<string, readonly string[]>>;

/** What options stand for in most commands; a command may mean something else by one, and have others. */
const FLAG_SETTINGS: FlagSettings = {
  modelsDir: ["models_dir"],
  stateDir: ["state_dir"],
  repoDir: ["repo_dir"],
  repoUrl: ["repo_url"],
  repoModelsSubdir: ["repo_models_subdir"],
  remote: ["remote"],
  branch: ["branch"],
  triggerUrl: ["runpod", "trigger_url"],
  statusUrlTemplate: ["runpod", "status_url_template"],
  apiKeyEnv: ["runpod", "api_key_env"],
  triggerMethod: ["runpod", "trigger_method"],
  triggerPayloadJson: ["runpod", "trigger_payload"],
  headersJson: ["runpod", "headers"],
  requestTimeoutSec: ["runpod", "request_timeout_sec"],
  pollIntervalSecRunpod: ["runpod", "poll_interval_sec"],
  jobTimeoutSec: ["runpod", "job_timeout_sec"],
  downloadTimeoutSec: ["runpod", "download_timeout_sec"],
  extractSubdir: ["runpod", "extract_subdir"],
  verifyUrl: ["redeploy", "verify_url"],
  verifyField: ["redeploy", "verify_field"],
  waitTimeoutSec: ["redeploy", "wait_timeout_sec"],
  repoId: ["huggingface", "repo_id"],
  revision: ["huggingface", "revision"],
  private: ["huggingface", "private"],
  include: ["huggingface", "include"],
  exclude: ["huggingface", "exclude"],
  deleteRemoved: ["huggingface", "delete_removed"],
  xet: ["huggingface", "xet"],
};

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

/** A command with its name, ready to be run. */
export interface Program {
  readonly name: CommandName;
  readonly application: Application<Invocation>;
}

export function defineProgram(name: CommandName, command: Command<Invocation>): Program {
  return { name, application: buildApplication(command, applicationConfig(name)) };
}

/** A command that only holds others. */
export function defineGroup(name: CommandName, routes: RouteMap<Invocation>): Program {
  return { name, application: buildApplication(routes, applicationConfig(name)) };
}

function applicationConfig(name: CommandName): PartialApplicationConfiguration {
  return {
    name: `model-sync ${name}`,
    scanner: { caseStyle: "allow-kebab-for-camel" },
    documentation: { onlyRequiredInUsageLine: true, disableAnsiColor: true },
  };
}

/** What the parser hands to a command: its world, and where it leaves its exit code, which it cannot return. */
export interface Invocation extends CommandContext {
  readonly world: World;
  exitCode: ExitCode;
}

/** The function of a command with its flags and positional arguments, as the parser calls it. */
type CommandBody<Flags, Args extends readonly string[]> = (
  this: Invocation,
  flags: Flags,
  ...args: Args
) => Promise<void>;

/**
 * Returns the function of a command. It connects the work to the outside world, reads the configuration, and stops on
 * signals. What the work throws is shown, and decides the exit code.
 *
 * @param flagSettings which settings the command's own options stand for
 */
export function withSession<Flags extends CommonFlags, Args extends readonly string[]>(
  work: (session: Session, flags: Flags, ...args: Args) => Promise<ExitCode | void>,
  flagSettings: FlagSettings = {},
): CommandBody<Flags, Args> {
  return withPlainSession(
    async (plain, flags: Flags, ...args: Args) => await work(await openSession(plain), flags, ...args),
    flagSettings,
  );
}

/** Reads the configuration as it is now. */
export async function openSession(plain: PlainSession): Promise<Session> {
  const { context, output, permissions, load, stopWithin } = plain;
  const config = await load();
  const { settings } = config;
  const location = { modelsDir: settings.models_dir, stateDir: settings.state_dir };
  return { context, output, permissions, config, settings, location, stopWithin };
}

/** As {@link withSession}, leaving the configuration to the work. */
export function withPlainSession<Flags extends CommonFlags, Args extends readonly string[]>(
  work: (session: PlainSession, flags: Flags, ...args: Args) => Promise<ExitCode | void>,
  flagSettings: FlagSettings = {},
): CommandBody<Flags, Args> {
  return async function (flags, ...args) {
    const { world } = this;
    const output = new Output({
      json: flags.json === true,
      logFormat: flags.logFormat ?? "text",
      level: logLevel(flags),
    }, world);
    using stop = stopOnSignals(world, output);
    try {
      const env = readEnvironment(world);
      const { spawn, clock, freeBytes, host, permissions, cron } = world;
      const fs = ownerWrites(world.fs);
      const ofProcess = world.variables();
      const proxies = { get: (name: string) => ofProcess[name] };
      using outgoing = outgoingHttp(world.http, { env, fs, log: output.log }, proxies);
      const { http } = outgoing;
      const { signal } = stop;
      const context: Context = { fs, spawn, http, clock, log: output.log, env, signal, freeBytes, host };
      const load = async () => {
        const config = await loadConfigFor(flags, context, { ...FLAG_SETTINGS, ...flagSettings });
        stop.timeoutMs = config.settings.stop_timeout_sec * 1000;
        return config;
      };
      const stopWithin = (timeoutMs: number) => void (stop.timeoutMs = timeoutMs);
      const plain = { context, output, permissions, cron, load, stopWithin };
      this.exitCode = await work(plain, flags, ...args) ?? EXIT.done;
    } catch (error) {
      this.exitCode = output.error(endOf(firstFailure(error), stop.signal));
    }
  };
}

async function loadConfigFor(
  flags: CommonFlags,
  { fs, env }: Context,
  flagSettings: FlagSettings,
): Promise<LoadedConfig> {
  return await loadConfig({
    file: flags.config ?? DEFAULT_CONFIG_FILE,
    isFileRequired: flags.config !== undefined,
    fallbackFile: APPSETTINGS_FILE,
    flags: flagValues(flags, flagSettings),
    env,
    readText: (path) => findUtf8(fs, path, CONFIG_BYTES_MAX),
  });
}

/** Parses a command line and runs the command. @returns the exit code */
export async function runProgram(
  program: Program,
  args: readonly string[],
  world: World,
): Promise<ExitCode> {
  const output = new Output({ json: args.includes("--json"), logFormat: "text", level: "info" }, world);
  let help = "";
  let complaint = "";
  const process = {
    stdout: { write: (text: string) => void (help += text) },
    stderr: { write: (text: string) => void (complaint += text) },
  };
  const invocation = { process, world, exitCode: EXIT.done };
  await runApplication(program.application, separateValues(args), invocation);
  if (help !== "") output.text(help.trimEnd());
  if (complaint === "") return invocation.exitCode;
  return output.error(
    new UsageError(`Cannot understand the command line: ${complaint.trim()}`, {
      code: "USAGE",
      hint: `model-sync ${program.name} --help`,
    }),
  );
}

/** The parser takes `--name=value` for an option only where the value is one line and not empty. */
function separateValues(args: readonly string[]): string[] {
  const end = args.indexOf("--");
  return args.flatMap((arg, index) => {
    const [, name, value = ""] = /^(--[a-z][\w.-]+)=(.*)$/is.exec(arg) ?? [];
    const isUnknown = name !== undefined && /^$|[\r\n\u2028\u2029]/.test(value);
    return isUnknown && (end === -1 || index < end) ? [name, value] : [arg];
  });
}

/** The end of a command that is run as a script of its own. */
export async function main(program: Program): Promise<never> {
  Deno.exit(await runProgram(program, processWorld.args, processWorld));
}

function flagValues(flags: CommonFlags, flagSettings: FlagSettings): FlagValue[] {
  return Object.entries(flags).flatMap(([name, value]) => {
    const path = flagSettings[name];
    if (path === undefined || value === undefined) return [];
    return [{ path, value, flag: `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}` }];
  });
}

function logLevel(flags: CommonFlags): "debug" | "info" | "warn" | "silent" {
  if (flags.verbose) return "debug";
  if (flags.quiet) return "warn";
  // A script that reads JSON wants nothing but the error object on standard error, unless it asks for a log.
  return flags.json && flags.logFormat === undefined ? "silent" : "info";
}

/** Why a command ended: the signal, unless the error says more of how it ended then. */
function endOf(error: unknown, signal: AbortSignal): unknown {
  const isTold = error instanceof InterruptedError || error instanceof RolledBackError;
  return signal.aborted && !isTold ? signal.reason : error;
}
