import { VERSION } from "../../lib/core/version.ts";
import { LIST_VALUES } from "./list_values.ts";
import {
  allCommands,
  allPrograms,
  COMMON,
  type OptionFacts,
  programsWithSubcommands,
  subcommandName,
  type ValueFacts,
} from "./command_facts.ts";

/** Returns the completion script of PowerShell, for version 5.1 and later. It completes paths itself. */
export function powershellScript(): string {
  return `# PowerShell completion for model-sync ${VERSION}: model-sync completions powershell
#
# For new shells, add to $PROFILE:
#   model-sync completions powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName 'model-sync' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    # Words with descriptions, by the words before them.
    $words = @{
${wordTables()}
    }
    # Options of every command.
    $common = [ordered]@{
${optionRows([...COMMON, HELP])}
    }
    # Options with their descriptions, by command.
    $options = @{
${allCommands().map(({ name, options }) => table(name, optionRows(options))).join("\n")}
    }
    # What an option or, under an empty name, an operand takes: words, values: and a list of this machine, or text.
    $values = @{
        '' = @{
${valueRows(COMMON)}
        }
${allCommands().map((command) => valueTable(command.name, command)).join("\n")}
    }

    $typed = @($commandAst.CommandElements | Where-Object { $_.Extent.EndOffset -lt $cursorPosition } |
            ForEach-Object { $_.Extent.Text })
    $program = $typed[0]
    $before = @($typed | Select-Object -Skip 1)
    $path = ''
    foreach ($word in $before) {
        $next = ("$path $word").Trim()
        if (-not ($words.ContainsKey($next) -or $options.ContainsKey($next))) { break }
        $path = $next
    }

    $found = [ordered]@{}
    $last = if ($before.Count -gt 0) { $before[-1] } else { '' }
    $takes = $null
    if ($options.ContainsKey($path)) {
        foreach ($table in $values[$path], $values['']) {
            if ($null -eq $takes -and $last -like '-*') { $takes = $table[$last] }
        }
        if ($null -eq $takes -and $wordToComplete -notlike '-*') { $takes = $values[$path]['operand'] }
    }
    if ($null -ne $takes) {
        if ($takes -like 'values:*') {
            $rest = @($before)
            & $program ${LIST_VALUES} $takes.Substring(7) @rest 2>$null | ForEach-Object {
                $value, $description = $_ -split "\`t", 2
                $found[$value] = $description
            }
        } else {
            foreach ($choice in $takes) { $found[$choice] = $choice }
        }
    } elseif ($words.ContainsKey($path)) {
        $found = $words[$path]
    } elseif ($options.ContainsKey($path) -and $wordToComplete -like '-*') {
        foreach ($table in $options[$path], $common) {
            foreach ($name in $table.Keys) { $found[$name] = $table[$name] }
        }
    }
    $found.Keys | Where-Object { $_ -like "$wordToComplete*" } | ForEach-Object {
        $description = if ($found[$_]) { $found[$_] } else { $_ }
        [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $description)
    }
}
`;
}

const HELP: OptionFacts = {
  name: "--help",
  short: "-h",
  placeholder: "",
  group: "",
  brief: "Show this help",
  meaning: "",
  repeatable: false,
  values: { choices: [], completion: "", separator: "" },
};

/** Returns the tables of commands and subcommands. */
function wordTables(): string {
  const commands = [...allPrograms(), { name: "help", summary: "Show the help" }];
  return [
    table("", commands.map(({ name, summary }) => row(name, summary)).join("\n")),
    table("help", allPrograms().map(({ name, summary }) => row(name, summary)).join("\n")),
    ...programsWithSubcommands().map(({ name, commands }) =>
      table(name, commands.map((command) => row(subcommandName(command), command.summary)).join("\n"))
    ),
  ].join("\n");
}

function table(name: string, rows: string): string {
  return `        ${quoted(name)} = [ordered]@{\n${rows}\n        }`;
}

function row(name: string, value: string): string {
  return `            ${quoted(name)} = ${quoted(value)}`;
}

function optionRows(options: readonly OptionFacts[]): string {
  return options.map(({ name, brief }) => row(name, brief)).join("\n");
}

function valueTable(
  name: string,
  { options, operands }: {
    readonly options: readonly OptionFacts[];
    readonly operands: { readonly values: ValueFacts };
  },
): string {
  const rows = [valueRows(options), operandRow(operands.values)].filter((rows) => rows !== "");
  return `        ${quoted(name)} = @{\n${rows.join("\n")}\n        }`;
}

function valueRows(options: readonly OptionFacts[]): string {
  return options.filter(({ placeholder }) => placeholder !== "").flatMap(({ name, short, values }) =>
    [name, short].filter((typed) => typed !== "").map((typed) =>
      `            ${quoted(typed)} = ${source(values)}`
    )
  ).join("\n");
}

function operandRow(values: ValueFacts): string {
  return values.choices.length === 0 && values.completion === ""
    ? ""
    : `            'operand' = ${source(values)}`;
}

/** Returns the values; an empty list for paths and for values that only the user knows. */
function source({ choices, completion }: ValueFacts): string {
  if (choices.length > 0) return `@(${choices.map(quoted).join(", ")})`;
  return ["", "file", "folder"].includes(completion) ? "@()" : quoted(`values:${completion}`);
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
