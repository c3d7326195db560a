import facts from "./commands.json" with { type: "json" };

/**
 * The commands as completion scripts and the manual page describe them. `commands.json` is generated from the
 * declarations of all commands (`deno task build-reference`): reading it costs a millisecond, loading every command
 * half a second, at each start of a shell.
 */
export const { groups: GROUPS, common: COMMON }: AllFacts = facts;

export interface AllFacts {
  /** Commands by what they are for, in the order of the help. */
  readonly groups: readonly GroupFacts[];
  /** The options of every command. */
  readonly common: readonly OptionFacts[];
}

export interface GroupFacts {
  readonly title: string;
  readonly programs: readonly ProgramFacts[];
}

/** A command, or several below one name such as `keys`. */
export interface ProgramFacts {
  readonly name: string;
  readonly summary: string;
  readonly commands: readonly CommandFacts[];
}

export interface CommandFacts {
  /** What follows the name of the program: `keys sign`. */
  readonly name: string;
  readonly summary: string;
  /** The whole line: `model-sync keys sign --private-key FILE FOLDER [options]`. */
  readonly usage: string;
  readonly operands: OperandFacts;
  readonly options: readonly OptionFacts[];
  /** Purpose and command line. */
  readonly examples: readonly (readonly string[])[];
}

export interface OperandFacts {
  /** `[ROLE ...]`; empty for none. */
  readonly usage: string;
  readonly brief: string;
  readonly values: ValueFacts;
}

export interface OptionFacts {
  /** With its dashes: `--dry-run`. */
  readonly name: string;
  /** `-q`; empty for none. */
  readonly short: string;
  /** Empty for an option without a value. */
  readonly placeholder: string;
  readonly group: string;
  readonly brief: string;
  /** The brief with choices, note and default. */
  readonly meaning: string;
  readonly repeatable: boolean;
  readonly values: ValueFacts;
}

/** How a value is completed. All fields are empty for a text of the user's own. */
export interface ValueFacts {
  readonly choices: readonly string[];
  /** `file`, `folder` or a list of this machine. */
  readonly completion: string;
  /** Separates several values in one word. */
  readonly separator: string;
}

/** Returns all commands, in the order of the help. */
export function allCommands(): CommandFacts[] {
  return allPrograms().flatMap(({ commands }) => commands);
}

export function allPrograms(): ProgramFacts[] {
  return GROUPS.flatMap(({ programs }) => programs);
}

/** Returns the programs that have subcommands. */
export function programsWithSubcommands(): ProgramFacts[] {
  return allPrograms().filter(({ name, commands }) => commands[0]?.name !== name);
}

/** Returns the name of a command behind that of its program: `sign` of `keys sign`. */
export function subcommandName({ name }: CommandFacts): string {
  return name.slice(name.indexOf(" ") + 1);
}

/** Returns how many operands a command takes. */
export function operandsMax({ usage }: OperandFacts): number {
  if (usage === "") return 0;
  return usage.includes("...") ? Infinity : usage.split(" ").length;
}
