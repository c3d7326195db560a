import { VERSION } from "../../lib/core/version.ts";
import { LIST_VALUES } from "./list_values.ts";
import {
  allCommands,
  allPrograms,
  type CommandFacts,
  COMMON,
  operandsMax,
  type OptionFacts,
  programsWithSubcommands,
  subcommandName,
  type ValueFacts,
} from "./command_facts.ts";

/** Returns the completion script of fish. */
export function fishScript(): string {
  return `# fish completion for model-sync ${VERSION}: model-sync completions fish
#
# For new shells:
#   model-sync completions fish > ~/.config/fish/completions/model-sync.fish

# Whether the words before the cursor begin with a command.
function __model_sync_at
    set -l words (commandline -opc)
    test (count $words) -gt (count $argv); and test "$words[2..$(math 1 + (count $argv))]" = "$argv"
end

# Whether an operand may follow: fewer than the first argument were typed after the command.
function __model_sync_operand
    set -l most $argv[1]
    set -e argv[1]
    __model_sync_at $argv; or return 1
    set -l words (commandline -opc)
    set -l count 0
    set -l is_value 0
    for word in $words[(math 2 + (count $argv))..]
        if test $is_value = 1
            set is_value 0
        else if contains -- $word ${valuedNames().join(" ")}
            set is_value 1
        else if not string match -q -- '-*' $word
            set count (math $count + 1)
        end
    end
    test $count -lt $most
end

# Whether a command's name is complete, so that options may follow.
function __model_sync_has_command
    set -l words (commandline -opc)
    set -l least 2
    contains -- "$words[2]" ${programsWithSubcommands().map(({ name }) => name).join(" ")}; and set least 3
    test (count $words) -ge $least; and test "$words[2]" != help
end

# Lists values of this machine.
function __model_sync_values
    set -l words (commandline -opc)
    command -q $words[1]; or return
    command $words[1] ${LIST_VALUES} $argv[1] $words[2..] </dev/null 2>/dev/null
end

complete -c model-sync -e
complete -c model-sync -f
set -l alone 'test (count (commandline -opc)) -eq 1'
set -l helped '__model_sync_at help; and test (count (commandline -opc)) -eq 2'
${allPrograms().map(programLine).join("\n")}
complete -c model-sync -n $alone -a help -d 'Show the help'
complete -c model-sync -n $alone -l help -d 'Show the list of commands'
complete -c model-sync -n $alone -l version -d 'Show the version'
${
    allPrograms().map(({ name, summary }) =>
      `complete -c model-sync -n $helped -a ${name} -d ${quoted(summary)}`
    ).join("\n")
  }
${COMMON.map((option) => optionLine("__model_sync_has_command", option)).join("\n")}
complete -c model-sync -n __model_sync_has_command -s h -l help -d 'Show this help'
${allCommands().flatMap(commandLines).join("\n")}
`;
}

function programLine({ name, summary }: { readonly name: string; readonly summary: string }): string {
  return `complete -c model-sync -n $alone -a ${name} -d ${quoted(summary)}`;
}

/** Returns the options with a value in both spellings, each once. */
function valuedNames(): string[] {
  const options = [...COMMON, ...allCommands().flatMap(({ options }) => options)];
  const valued = options.filter(({ placeholder }) => placeholder !== "");
  return [...new Set(valued.flatMap(({ name, short }) => short === "" ? [name] : [name, short]))];
}

function commandLines(command: CommandFacts): string[] {
  const { name, summary, options, operands } = command;
  const program = programsWithSubcommands().find(({ commands }) => commands.includes(command));
  const own = program === undefined ? [] : [
    `complete -c model-sync -n '__model_sync_at ${program.name}; and test (count (commandline -opc)) -eq 2' -a ${
      subcommandName(command)
    } -d ${quoted(summary)}`,
  ];
  const most = operandsMax(operands);
  const condition = Number.isFinite(most)
    ? `__model_sync_operand ${most} ${name}`
    : `__model_sync_at ${name}`;
  const source = valueWords(operands.values);
  const operand = most === 0 || source === ""
    ? []
    : [`complete -c model-sync -n ${quoted(condition)} -k -a ${source}`];
  return [...own, ...operand, ...options.map((option) => optionLine(`__model_sync_at ${name}`, option))];
}

function optionLine(condition: string, { name, short, placeholder, brief, values }: OptionFacts): string {
  return [
    "complete -c model-sync -n",
    quoted(condition),
    ...(short === "" ? [] : [`-s ${short.slice(1)}`]),
    `-l ${name.slice(2)}`,
    ...(placeholder === "" ? [] : [valueFlags(values)]),
    `-d ${quoted(brief)}`,
  ].join(" ");
}

function valueFlags(values: ValueFacts): string {
  if (values.completion === "file") return "-r -F";
  const words = valueWords(values);
  return words === "" ? "-x" : `-x -k -a ${words}`;
}

/** Returns the values as an argument of \`-a\`; an empty text for values that only the user knows. */
function valueWords({ choices, completion, separator }: ValueFacts): string {
  if (choices.length > 0) {
    return quoted(separator === "" ? choices.join(" ") : `(__fish_append ${separator} ${choices.join(" ")})`);
  }
  if (completion === "" || completion === "file") return "";
  return quoted(
    completion === "folder" ? "(__fish_complete_directories)" : `(__model_sync_values ${completion})`,
  );
}

function quoted(text: string): string {
  return `'${text.replaceAll(/[\\']/g, "\\$&")}'`;
}
