import {
  Command,
  CommanderError,
  type CommandUnknownOpts,
  InvalidArgumentError,
  Option,
} from "@commander-js/extra-typings";
import { statfsSync } from "node:fs";
import { expandHome } from "../lib/config/expand_home.ts";
import { parseDotenv } from "../lib/config/dotenv.ts";
import { type FlagValue, loadConfig, type LoadedConfig } from "../lib/config/load.ts";
import type { ModelSync } from "../lib/config/schema.ts";
import { systemClock } from "../lib/core/clock.ts";
import type { Context, Environment } from "../lib/core/context.ts";
import { EXIT, type ExitCode, InterruptedError, UsageError } from "../lib/core/errors.ts";
import { findText } from "../lib/core/files.ts";
import { spawnProcess } from "../lib/core/subprocess.ts";
import type { StoreLocation } from "../lib/store/store.ts";
import { Output } from "./_output.ts";
import { type CommandName, SUMMARIES } from "./_summaries.ts";

/** Read when `--config` is not given; it need not exist. */
export const DEFAULT_CONFIG_FILE = "configs/bot.yaml";

/** What a command's work gets. */
export interface Session {
  readonly context: Context;
  readonly output: Output;
  readonly config: LoadedConfig;
  readonly settings: ModelSync;
  /** The model folder and its store. */
  readonly location: StoreLocation;
}

/** Options of every command. */
export interface CommonOptions {
  readonly config?: string | undefined;
  readonly modelsDir?: string | undefined;
  readonly stateDir?: string | undefined;
  readonly json?: boolean | undefined;
  readonly quiet?: boolean | undefined;
  readonly verbose?: boolean | undefined;
  readonly logFormat?: "text" | "json" | undefined;
}

/** Options that stand for a setting, by the name that commander gives them. */
const FLAG_SETTINGS: Readonly<Record<string, readonly string[]>> = {
  modelsDir: ["models_dir"],
  stateDir: ["state_dir"],
  repoDir: ["repo_dir"],
  repoUrl: ["repo_url"],
  repoModelsSubdir: ["repo_models_subdir"],
  remote: ["remote"],
  branch: ["branch"],
};

/** A command with the options that all share. */
export function newCommand(name: CommandName) {
  return withCommonOptions(new Command(name).description(SUMMARIES[name]));
}

/** A command that only holds others. */
export function newGroup(name: CommandName) {
  return new Command(name).description(SUMMARIES[name]);
}

/** A command within a group. */
export function newSubcommand(name: string, summary: string) {
  return withCommonOptions(new Command(name).description(summary));
}

function withCommonOptions(command: Command) {
  return command
    .option("--config <file>", `configuration file (default: ${DEFAULT_CONFIG_FILE}, if it exists)`)
    .option("--models-dir <dir>", "folder that consumers open or a publisher trains into (default: models)")
    .option("--state-dir <dir>", "the store (default: .model-sync beside the models folder)")
    .option("--json", "print one JSON object instead of text")
    .option("-q, --quiet", "only warnings and errors on standard error")
    .option("-v, --verbose", "also details on standard error")
    .addOption(
      new Option("--log-format <format>", "lines on standard error").choices(["text", "json"] as const),
    )
    .allowExcessArguments(false)
    .showHelpAfterError(false);
}

/** A whole number of at least `least`, for an option's value. */
export function integerFrom(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < least) {
      throw new InvalidArgumentError(`It must be a whole number of at least ${least}.`);
    }
    return value;
  };
}

/** Collects the values of an option that may be repeated. */
export function repeatable(value: string, values: readonly string[] = []): string[] {
  return [...values, value];
}

/** What a command gets that works without a valid configuration. */
export interface PlainSession {
  readonly context: Context;
  readonly output: Output;
  /** Reads the configuration. @throws {ConfigError} */
  readonly load: () => Promise<LoadedConfig>;
}

/**
 * Runs the work of a command: makes the outside world, reads the configuration, stops on signals. What the work throws
 * is shown, and decides the exit code.
 */
export async function withSession(
  options: CommonOptions,
  work: (session: Session) => Promise<ExitCode | void>,
): Promise<void> {
  await withPlainSession(options, async (plain) => await work(await openSession(plain)));
}

/** Reads the configuration as it is now. */
export async function openSession({ context, output, load }: PlainSession): Promise<Session> {
  const config = await load();
  const { settings } = config;
  const { models_dir, state_dir } = settings;
  const location = {
    modelsDir: expandHome(models_dir, context.env),
    stateDir: state_dir === undefined ? undefined : expandHome(state_dir, context.env),
  };
  return { context, output, config, settings, location };
}

/** As {@link withSession}, leaving the configuration to the work. */
export async function withPlainSession(
  options: CommonOptions,
  work: (session: PlainSession) => Promise<ExitCode | void>,
): Promise<void> {
  const output = new Output({
    json: options.json === true,
    logFormat: options.logFormat ?? "text",
    level: logLevel(options),
  });
  using stop = stopOnSignals(output);
  try {
    const env = readEnvironment();
    const context: Context = {
      fs: Deno,
      spawn: spawnProcess,
      clock: systemClock,
      log: output.log,
      env,
      signal: stop.signal,
      freeBytes,
      host: Deno.hostname(),
    };
    exitCode = await work({ context, output, load: () => loadConfigFor(options, env) }) ?? EXIT.done;
  } catch (error) {
    exitCode = output.error(stop.signal.aborted ? stop.signal.reason : error);
  }
}

/** Reads the configuration that options name. */
async function loadConfigFor(options: CommonOptions, env: Environment): Promise<LoadedConfig> {
  return await loadConfig({
    file: options.config ?? DEFAULT_CONFIG_FILE,
    isFileRequired: options.config !== undefined,
    flags: flagValues(options),
    env,
    readText: (path) => findText(Deno, path),
  });
}

/** How the last command ended; commander gives no way to return it. */
let exitCode: ExitCode = EXIT.done;

/** Parses a command line and runs it. @returns the exit code */
export async function runCommand(command: CommandUnknownOpts, args: readonly string[]): Promise<ExitCode> {
  const json = args.includes("--json");
  const output = new Output({ json, logFormat: "text", level: "info" });
  command.exitOverride().configureOutput({ outputError: () => {} });
  for (const child of command.commands) child.exitOverride().configureOutput({ outputError: () => {} });
  try {
    await command.parseAsync([...args], { from: "user" });
    return exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) return output.error(error);
    if (error.exitCode === 0) return EXIT.done;
    return output.error(
      new UsageError(error.message.replace(/^error: /, "").replaceAll("\n", " "), {
        code: "USAGE",
        hint: `model-sync ${command.name()} --help`,
      }),
    );
  }
}

/** The end of a command that is run as a script of its own. */
export async function main(command: CommandUnknownOpts): Promise<never> {
  Deno.exit(await runCommand(command, Deno.args));
}

function flagValues(options: CommonOptions): FlagValue[] {
  return Object.entries(options).flatMap(([name, value]) => {
    const path = FLAG_SETTINGS[name];
    if (path === undefined || value === undefined) return [];
    return [{ path, value, flag: `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}` }];
  });
}

function logLevel(options: CommonOptions): "debug" | "info" | "warn" | "silent" {
  if (options.verbose) return "debug";
  if (options.quiet) return "warn";
  // A script that reads JSON wants nothing but the error object on standard error, unless it asks for a log.
  return options.json && options.logFormat === undefined ? "silent" : "info";
}

/** Variables by which a git hook, or a git in another repository, would lead our git astray. */
const GIT_VARIABLES = [
  "GIT_DIR",
  "GIT_WORK_TREE",
  "GIT_INDEX_FILE",
  "GIT_OBJECT_DIRECTORY",
  "GIT_ALTERNATE_OBJECT_DIRECTORIES",
  "GIT_COMMON_DIR",
  "GIT_NAMESPACE",
  "GIT_PREFIX",
];

/** The process environment over the `.env` file of the working directory. */
function readEnvironment(): Environment {
  for (const name of GIT_VARIABLES) Deno.env.delete(name);
  const variables = parseDotenv(findText(Deno, ".env") ?? "");
  for (const [name, value] of Object.entries(Deno.env.toObject())) variables.set(name, value);
  return { get: (name) => variables.get(name), toObject: () => Object.fromEntries(variables) };
}

function freeBytes(path: string): number | undefined {
  try {
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize;
  } catch {
    // Not every system tells; then the disk itself says when it is full.
    return undefined;
  }
}

interface StopSignal extends Disposable {
  readonly signal: AbortSignal;
}

/** A first signal asks the run to stop, a second one ends it. */
function stopOnSignals(output: Output): StopSignal {
  const controller = new AbortController();
  const signals: Deno.Signal[] = Deno.build.os === "windows"
    ? ["SIGINT", "SIGBREAK"]
    : ["SIGINT", "SIGTERM", "SIGHUP"];
  const handlers = signals.map((signal) => {
    const handler = () => {
      if (controller.signal.aborted) Deno.exit(EXIT.interrupted);
      output.log.warn(`${signal}: stopping; once more ends at once`);
      controller.abort(
        new InterruptedError(`Cannot go on: stopped by ${signal}`, {
          code: "INTERRUPTED",
          hint: "nothing half-done is left; run it again when you like",
        }),
      );
    };
    Deno.addSignalListener(signal, handler);
    return { signal, handler };
  });
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      for (const { signal, handler } of handlers) Deno.removeSignalListener(signal, handler);
    },
  };
}
