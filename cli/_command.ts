import {
  type Application,
  buildApplication,
  type Command,
  type CommandContext,
  type PartialApplicationConfiguration,
  type RouteMap,
  run as runApplication,
} from "@stricli/core";
import { APPSETTINGS_FILE } from "../lib/config/appsettings.ts";
import { CONFIG_BYTES_MAX, type FlagValue, loadConfig, type LoadedConfig } from "../lib/config/load.ts";
import type { Context } from "../lib/core/context.ts";
import { RolledBackError } from "../lib/pipeline/run_report.ts";
import { EXIT, type ExitCode, firstFailure, InterruptedError, UsageError } from "../lib/core/errors.ts";
import { findUtf8 } from "../lib/core/files.ts";
import { outgoingHttp } from "../lib/http/outgoing_http.ts";
import { ownerWrites } from "../lib/core/file_owner.ts";
import { processWorld, readEnvironment, type World } from "./_world.ts";
import { Output } from "./_output.ts";
import { CommonFlags, DEFAULT_CONFIG_FILE, FLAG_SETTINGS, FlagSettings } from "./_options.ts";
import type { CommandName } from "./_help.ts";
import { formatDuration } from "../lib/core/format.ts";
import { openSession, PlainSession, Session } from "./_session.ts";

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

export interface StopSignal extends Disposable {
  /** Aborted by the first signal that asks the process to end. */
  readonly signal: AbortSignal;
  /** How long the work may go on after the signal. */
  timeoutMs: number;
}

/** Until the configuration is read. */
const STOP_TIMEOUT_MS = 60_000;

/**
 * Asks the work to end with the first signal, and ends the process where the work does not. Until the result is disposed
 * of.
 */
export function stopOnSignals(world: World, output: Output): StopSignal {
  const [stopping, ended] = [new AbortController(), new AbortController()];
  const listening = world.onStop((signal) => {
    output.log.warn(`${signal}: stopping; once more ends at once`);
    stopping.abort(
      new InterruptedError(`Cannot go on: stopped by ${signal}`, {
        code: "INTERRUPTED",
        hint: "nothing half-done is left; run it again when you like",
      }),
    );
    const { timeoutMs } = stop;
    world.clock.sleep(timeoutMs, ended.signal).then(
      () => world.endNow(output.error(stopTimeout(timeoutMs))),
      () => {},
    );
  });
  const stop: StopSignal = {
    signal: stopping.signal,
    timeoutMs: STOP_TIMEOUT_MS,
    [Symbol.dispose]() {
      ended.abort();
      listening[Symbol.dispose]();
    },
  };
  return stop;
}

function stopTimeout(timeoutMs: number): InterruptedError {
  return new InterruptedError(`Cannot stop cleanly: the work goes on after ${formatDuration(timeoutMs)}`, {
    code: "STOP_TIMEOUT",
    hint: "the next run finishes or undoes what this one left; model_sync.stop_timeout_sec allows more time",
  });
}
