import type { Program } from "../cli/_command.ts";
import type { Completion, Declaration, Option } from "../cli/_declaration.ts";
import { COMMAND_GROUPS, meaningOf, optionName, SUMMARIES, usageOf } from "../cli/_help.ts";
import { COMMON_OPTIONS } from "../cli/_options.ts";
import type {
  AllFacts,
  CommandFacts,
  OptionFacts,
  ProgramFacts,
  ValueFacts,
} from "../cli/_shells/command_facts.ts";

/** Returns what completion scripts and the manual page say about all commands. */
export function describeCommands(programs: readonly Program[]): AllFacts {
  const groups = Object.entries(COMMAND_GROUPS).map(([title, commands]) => ({
    title,
    programs: Object.keys(commands).flatMap((name) =>
      programs.filter((program) => program.name === name).map(describeProgram)
    ),
  }));
  return { groups, common: describeOptions(COMMON_OPTIONS) };
}

function describeProgram(program: Program): ProgramFacts {
  const { name } = program;
  const commands = "command" in program
    ? [describeCommand(name, program.command)]
    : Object.entries(program.commands).map(([word, command]) => describeCommand(`${name} ${word}`, command));
  return { name, summary: SUMMARIES[name], commands };
}

function describeCommand(name: string, command: Declaration): CommandFacts {
  const { summary, operands, examples } = command;
  const own = Object.entries(command.options).filter(([name]) => !Object.hasOwn(COMMON_OPTIONS, name));
  return {
    name,
    summary,
    usage: usageOf(`model-sync ${name}`, command),
    operands: { usage: operands.usage, brief: operands.brief, values: describeValues(operands) },
    options: describeOptions(Object.fromEntries(own)),
    examples,
  };
}

function describeOptions(options: Declaration["options"]): OptionFacts[] {
  return Object.entries(options).filter(([, { hidden }]) => !hidden)
    .map(([name, option]) => describeOption(name, option));
}

function describeOption(name: string, option: Option): OptionFacts {
  const { group, short, brief } = option;
  const facts = {
    name: optionName(name),
    short: short === undefined ? "" : `-${short}`,
    group,
    brief,
    meaning: meaningOf(option).replaceAll("\u00a0", " "),
  };
  return option.kind === "switch"
    ? { ...facts, placeholder: "", repeatable: false, values: describeValues({}) }
    : {
      ...facts,
      placeholder: option.placeholder,
      repeatable: option.repeatable === true,
      values: describeValues(option),
    };
}

/** The facts of an option or of operands about their values. */
interface Values {
  readonly choices?: readonly string[];
  readonly completion?: Completion;
  readonly separator?: string;
}

function describeValues({ choices = [], completion = undefined, separator = "" }: Values): ValueFacts {
  return { choices, completion: completion ?? "", separator };
}
