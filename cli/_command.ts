import { APPSETTINGS_FILE } from "../lib/config/appsettings.ts";
import {
  CONFIG_BYTES_MAX,
  type FlagValue,
  loadConfig,
  type LoadedConfig,
  type Started,
} from "../lib/config/load.ts";
import { OptionError } from "../lib/config/config_error.ts";
import { findUtf8 } from "../lib/core/files.ts";
import type { Context } from "../lib/core/context.ts";
import { EXIT, type ExitCode, firstFailure, InterruptedError, UsageError } from "../lib/core/errors.ts";
import { formatDuration } from "../lib/core/format.ts";
import { outgoingHttp } from "../lib/http/outgoing_http.ts";
import { enterProject } from "./_project.ts";
import { endProcess, processWorld, type World } from "./_world.ts";
import { ownerWrites } from "../lib/core/file_owner.ts";
import { RolledBackError } from "../lib/pipeline/run_report.ts";
import {
  asksForHelp,
  asksForJson,
  commandHelp,
  type CommandName,
  groupHelp,
  noSuchCommand,
  optionName,
  SUMMARIES,
} from "./_help.ts";
import {
  COMMON_OPTIONS,
  type CommonFlags,
  DEFAULT_CONFIG_FILE,
  printsJson,
  refuseTwoFormats,
} from "./_options.ts";
import { type Declaration, type Flags, type Operands, type Options, UnknownWord } from "./_declaration.ts";
import { type Arguments, parseArguments } from "./_arguments.ts";
import { openSession, type PlainSession, type Session } from "./_session.ts";
import { Output } from "./_output.ts";

/** The values of a command's own options and of those that every command has. */
export type CommandFlags<Declared> = Flags<Declared & typeof COMMON_OPTIONS>;

/** A command as its file defines it. */
interface Definition<Work, Declared extends Options, Operand>
  extends Omit<Declaration, "options" | "operands"> {
  readonly options: Declared;
  readonly operands: Operands<Operand>;
  /** Deno itself reads a variable during the run, which gives the permission to read variables up afterwards. */
  readonly keepsVariables?: boolean;
  readonly run: (
    session: Work,
    flags: CommandFlags<Declared>,
    operand: Operand,
  ) => Promise<ExitCode | void>;
}

/**
 * Runs a command.
 *
 * @param helpHint the hint of errors about the command line
 */
type Start = (world: World, helpHint: string) => Promise<ExitCode>;

/** A command that is ready to be run. */
export interface Command extends Declaration {
  /** Returns what runs the command as the arguments say. @throws {UsageError} */
  readonly parse: (args: readonly string[]) => Start;
}

/** A command by its name, or a group of commands such as `keys`. */
export type Program =
  & { readonly name: CommandName }
  & ({ readonly command: Command } | { readonly commands: Readonly<Record<string, Command>> });

/**
 * Returns a command that works with the configuration. It connects the work to the outside world and stops on signals.
 * What the work throws is shown, and decides the exit code.
 */
export function command<Declared extends Options, Operand>(
  definition: Definition<Session, Declared, Operand>,
): Command {
  return plainCommand({
    ...definition,
    run: async (plain: PlainSession, flags: CommandFlags<Declared>, operand: Operand) => {
      const session = await openSession(plain);
      try {
        return await definition.run(session, flags, operand);
      } catch (error) {
        await (await import("./_own_pull.ts")).nameOwnPull(session, firstFailure(error));
        throw error;
      }
    },
  });
}

/** As {@link command}, leaving the configuration to the work. */
export function plainCommand<Declared extends Options, Operand>(
  { summary, examples, operands, options: own, keepsVariables = false, run }: Definition<
    PlainSession,
    Declared,
    Operand
  >,
): Command {
  const options = { ...own, ...COMMON_OPTIONS };
  const parse = (args: readonly string[]) => {
    const parseIn = (folder?: string) => parseArguments({ options, operands }, args, folder);
    const typed = parseIn();
    refuseTwoFormats(typed.flags);
    return async (world: World, helpHint: string) =>
      await runWork(
        world,
        { options, keepsVariables, typed, parseIn, helpHint },
        async (plain, { flags, operand }) => await run(plain, flags, operand),
      );
  };
  return { summary, examples, operands, options, parse };
}

type TypedArguments = Arguments<typeof COMMON_OPTIONS, unknown>;

/** A command line that was typed in the folder in which the command was started. */
interface CommandLine<Args> {
  readonly options: Options;
  readonly keepsVariables: boolean;
  readonly typed: Args;
  /** Parses it again, with relative paths that start in the folder. */
  readonly parseIn: (folder: string) => Args;
  readonly helpHint: string;
}

/** Runs a command's work in its project. @returns the exit code */
async function runWork<Args extends TypedArguments>(
  world: World,
  { options, keepsVariables, typed, parseIn, helpHint }: CommandLine<Args>,
  work: (plain: PlainSession, args: Args) => Promise<ExitCode | void>,
): Promise<ExitCode> {
  const output = new Output({
    json: printsJson(typed.flags),
    logFormat: typed.flags.logFormat ?? "text",
    level: logLevel(typed.flags),
  }, world);
  using stop = stopOnSignals(world, output);
  try {
    const ofProcess = world.variables();
    if (!keepsVariables) world.permissions.giveUp("env");
    const { world: inProject, env, started } = enterProject(world, ofProcess, typed.flags, output.log);
    const args = started === undefined ? typed : parseIn(started.folder);
    const { spawn, clock, freeBytes, host, permissions, cron } = inProject;
    const fs = ownerWrites(inProject.fs);
    const proxies = { get: (name: string) => ofProcess[name] };
    using outgoing = outgoingHttp(world.http, { env, fs, log: output.log }, proxies);
    const { http } = outgoing;
    const { signal } = stop;
    const context: Context = { fs, spawn, http, clock, log: output.log, env, signal, freeBytes, host };
    const load = async () => {
      const { flags } = args;
      const config = await loadConfigFor(context, flags.config, flagValues(options, flags), started);
      for (const sentence of config.removed) context.log.warn(sentence);
      stop.timeoutMs = config.settings.stop_timeout_sec * 1000;
      return config;
    };
    const stopWithin = (timeoutMs: number) => void (stop.timeoutMs = timeoutMs);
    const endsOnStop = () => void (stop.isExpected = true);
    return await work({ context, output, permissions, cron, load, stopWithin, endsOnStop }, args) ??
      EXIT.done;
  } catch (error) {
    if (error instanceof OptionError || error instanceof UsageError && error.hint === undefined) {
      error.reviseHint(helpHint);
    }
    return output.error(endOf(firstFailure(error), stop.signal));
  }
}

async function loadConfigFor(
  { fs, env }: Context,
  file: string | undefined,
  flags: readonly FlagValue[],
  started: Started | undefined,
): Promise<LoadedConfig> {
  return await loadConfig({
    file: file ?? DEFAULT_CONFIG_FILE,
    isFileRequired: file !== undefined,
    fallbackFile: APPSETTINGS_FILE,
    flags,
    env,
    started,
    readText: (path) => findUtf8(fs, path, CONFIG_BYTES_MAX),
  });
}

/** Returns the settings that options replace. */
function flagValues(options: Options, flags: CommonFlags): FlagValue[] {
  return Object.entries(flags).flatMap(([name, value]) => {
    const setting = options[name]?.setting;
    return setting === undefined ? [] : [{ path: setting.split("."), value, flag: optionName(name) }];
  });
}

/** Parses a command line and runs the command, or shows its help. @returns the exit code */
export async function runProgram(
  program: Program,
  args: readonly string[],
  world: World,
): Promise<ExitCode> {
  const output = new Output({ json: asksForJson(args), logFormat: "text", level: "info" }, world);
  let start: Start;
  let helpHint: string;
  try {
    const { title, command, rest } = route(program, args);
    if (command === undefined || asksForHelp(rest)) {
      output.text(helpText(program, title, command, world.columns()));
      return EXIT.done;
    }
    helpHint = `${title} --help lists the options`;
    start = parsed(command, rest, helpHint);
  } catch (error) {
    return output.error(error instanceof UnknownWord ? await withSuggestion(error) : error);
  }
  return await start(world, helpHint);
}

async function withSuggestion({ message, typed, known, code, hint }: UnknownWord): Promise<UsageError> {
  const { suggestion } = await import("../lib/config/complaints.ts");
  return new UsageError(`${message}${suggestion(typed, known)}`, { code, hint });
}

/** The command that a command line names. */
interface Route {
  /** `model-sync keys generate`. */
  readonly title: string;
  /** `undefined` for a group without the name of a command. */
  readonly command: Command | undefined;
  readonly rest: readonly string[];
}

/** @throws {UsageError} code `USAGE` for a command that a group does not have */
function route(program: Program, args: readonly string[]): Route {
  const title = `model-sync ${program.name}`;
  if ("command" in program) return { title, command: program.command, rest: args };
  const [name, ...rest] = args;
  if (name === undefined || asksForHelp([name])) return { title, command: undefined, rest: args };
  if (Object.hasOwn(program.commands, name)) {
    return { title: `${title} ${name}`, command: program.commands[name], rest };
  }
  const message = noSuchCommand(`${program.name} ${name}`, name);
  throw new UnknownWord(message, name, Object.keys(program.commands), {
    hint: `${title} --help lists the commands`,
  });
}

function helpText(
  program: Program,
  title: string,
  command: Command | undefined,
  columns: number | undefined,
): string {
  if (command !== undefined) return commandHelp(title, command, columns);
  return groupHelp(title, SUMMARIES[program.name], "commands" in program ? program.commands : {}, columns);
}

/** As {@link Command.parse}, with the help as the hint of errors that have none. */
function parsed(command: Command, args: readonly string[], helpHint: string): Start {
  try {
    return command.parse(args);
  } catch (error) {
    if (error instanceof UsageError && error.hint === undefined) error.reviseHint(helpHint);
    throw error;
  }
}

/** The end of a command that is run as a script of its own. */
export async function main(program: Program): Promise<never> {
  return await endProcess(await runProgram(program, processWorld.args, processWorld));
}

function logLevel(flags: CommonFlags): "debug" | "info" | "warn" | "silent" {
  if (flags.verbose) return "debug";
  if (flags.quiet) return "warn";
  // With --json, standard error holds nothing but an error object, unless --log-format asks for a log.
  return printsJson(flags) && flags.logFormat === undefined ? "silent" : "info";
}

/** Returns why a command ended: the signal, unless the error says more about the end. */
function endOf(error: unknown, signal: AbortSignal): unknown {
  const saysMore = error instanceof InterruptedError || error instanceof RolledBackError;
  return signal.aborted && !saysMore ? signal.reason : error;
}

export interface StopSignal extends Disposable {
  /** Aborted by the first signal. */
  readonly signal: AbortSignal;
  /** How long the work may continue after the signal. */
  timeoutMs: number;
  /** Whether the command runs until it is stopped, and needs no message for that. */
  isExpected: boolean;
}

/** Applies until the configuration is read. */
const STOP_TIMEOUT_MS = 60_000;

/**
 * Stops the work with the first signal, and ends the process if the work has not ended in time. It listens until the
 * result is disposed.
 */
export function stopOnSignals(world: World, output: Output): StopSignal {
  const [stopping, ended] = [new AbortController(), new AbortController()];
  const listening = world.onStop((signal) => {
    if (!stop.isExpected && !output.isAsking) {
      output.log.warn(`${signal}: stopping; a second signal ends the process immediately`);
    }
    stopping.abort(
      new InterruptedError(`Cannot continue: stopped by ${signal}`, {
        code: "INTERRUPTED",
        ...(output.isAsking ? {} : { hint: "run the command again; it continues interrupted downloads" }),
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
    isExpected: false,
    [Symbol.dispose]() {
      ended.abort();
      listening[Symbol.dispose]();
    },
  };
  return stop;
}

function stopTimeout(timeoutMs: number): InterruptedError {
  return new InterruptedError(
    `Cannot stop cleanly: the work did not end within ${formatDuration(timeoutMs)}`,
    {
      code: "STOP_TIMEOUT",
      hint: "the next run completes or undoes this one; to allow more time, set model_sync.stop_timeout_sec",
    },
  );
}
