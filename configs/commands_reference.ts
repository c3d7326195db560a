import type { Program } from "../cli/_command.ts";
import type { Declaration, Example } from "../cli/_declaration.ts";
import { COMMAND_GROUPS, type Entry, optionSections, SUMMARIES, usageOf } from "../cli/_help.ts";
import { COMMON_OPTIONS } from "../cli/_options.ts";

/**
 * Returns the reference of all commands in Markdown: a table of the commands, the options that all of them have, and a
 * section for each command with usage, options and examples.
 */
export function renderCommands(programs: readonly Program[]): string {
  const byName = new Map<string, Program>(programs.map((program) => [program.name, program]));
  const groups = Object.entries(COMMAND_GROUPS).map(([title, commands]) => ({
    title,
    commands: Object.entries(commands),
  }));
  return [
    ...groups.map(({ title, commands }) => table(title, commands.map(([name, does]) => [link(name), does]))),
    "## Options of every command\n",
    ...optionTables(COMMON_OPTIONS),
    ...groups.flatMap(({ commands }) => commands.map(([name]) => renderProgram(byName.get(name)))),
  ].join("\n");
}

function link(name: string): string {
  return `[\`${name}\`](#model-sync-${name})`;
}

function renderProgram(program: Program | undefined): string {
  if (program === undefined) return "";
  const title = `model-sync ${program.name}`;
  if ("command" in program) return renderCommand("##", title, program.command);
  const commands = Object.entries(program.commands);
  return [
    `## ${title}\n`,
    `${escape(SUMMARIES[program.name])}.\n`,
    ...commands.map(([name, command]) => renderCommand("###", `${title} ${name}`, command)),
  ].join("\n");
}

function renderCommand(level: string, title: string, command: Declaration): string {
  const { operands, summary, examples } = command;
  const own = Object.entries(command.options).filter(([name]) => !Object.hasOwn(COMMON_OPTIONS, name));
  return [
    `${level} ${title}\n`,
    `${escape(summary)}.\n`,
    `\`${usageOf(title, command)}\`\n`,
    ...(operands.usage === "" ? [] : [table("Operands", [[`\`${operands.usage}\``, operands.brief]])]),
    ...optionTables(Object.fromEntries(own)),
    renderExamples(examples),
  ].join("\n");
}

/** Returns a table for each group of options. */
function optionTables(options: Declaration["options"]): string[] {
  const own = optionSections(options).filter(({ group }) =>
    Object.values(options).some((option) => option.group === group)
  );
  return own.map(({ group, entries }) =>
    table(group, entries.map(([term, meaning]): Entry => [`\`${term}\``, meaning]))
  );
}

function table(title: string, entries: readonly Entry[]): string {
  const rows = entries.map(([term, meaning]) => `| ${term} | ${escape(meaning)} |`);
  return `| ${title} | |\n|---|---|\n${rows.join("\n")}\n`;
}

function renderExamples(examples: readonly Example[]): string {
  return `\`\`\`sh example\n${examples.map(([does, line]) => `# ${does}:\n${line}`).join("\n")}\n\`\`\`\n`;
}

/** `*` and `<` would be Markdown, and a vertical bar would end the cell. No-break spaces are for terminals. */
function escape(text: string): string {
  return text.replaceAll(/[*<|]/g, "\\$&").replaceAll("\u00a0", " ");
}
