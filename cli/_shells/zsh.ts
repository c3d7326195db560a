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

/** Returns the completion script of zsh, as a file of `fpath` or for `source` behind `compinit`. */
export function zshScript(): string {
  return `#compdef model-sync
# zsh completion for model-sync ${VERSION}: model-sync completions zsh
#
# For new shells:
#   mkdir -p ~/.zfunc
#   model-sync completions zsh > ~/.zfunc/_model-sync
# and in ~/.zshrc, before compinit:
#   fpath+=(~/.zfunc)

# Completes values of this machine.
_model-sync_values() {
  local -a found
  local value description
  while IFS=$'\\t' read -r value description; do
    found+=("$value:\${description//:/\\\\:}")
  done < <(command \${~program} ${LIST_VALUES} $1 "\${(@Q)typed}" </dev/null 2>/dev/null)
  _describe -V -t values $1 found
}

_model-sync() {
  local context state state_descr line curcontext=$curcontext
  typeset -A opt_args
  local program=$words[1] command=$words[2]
  local -a typed=("\${(@)words[2,-1]}")
  local -a commands=(
${programLines()}
  )
  local -a common=(
${optionLines(COMMON)}
    '(-h --help)'{-h,--help}'[Show this help]'
  )
  if (( CURRENT == 2 )); then
    if [[ $words[2] == -* ]]; then
      local -a general=('--help:Show the list of commands' '--version:Show the version')
      _describe -o option general
    else
      _describe -t commands command commands
    fi
    return
  fi
  case $command in
${subcommandLines()}
    (help)
      (( CURRENT == 3 )) && _describe -t commands command commands
      return ;;
    (*)
      shift words
      (( CURRENT-- )) ;;
  esac
  case $command in
${allCommands().map(commandLines).join("\n")}
  esac
}

if [[ $funcstack[1] == _model-sync ]]; then
  _model-sync "$@"
else
  compdef _model-sync model-sync
fi
`;
}

function programLines(): string {
  return [...allPrograms().map(({ name, summary }) => described(name, summary)), "'help:Show the help'"]
    .map((line) => `    ${line}`).join("\n");
}

/** Returns an item of `_describe`. */
function described(name: string, description: string): string {
  return quoted(`${name}:${description.replaceAll(":", "\\:")}`);
}

function subcommandLines(): string {
  return programsWithSubcommands().map(({ name, commands }) =>
    `    (${name})
      if (( CURRENT == 3 )); then
        commands=(
${commands.map((command) => `          ${described(subcommandName(command), command.summary)}`).join("\n")}
        )
        _describe -t commands command commands
        return
      fi
      command="$words[2] $words[3]"
      shift 2 words
      (( CURRENT -= 2 )) ;;`
  ).join("\n");
}

function commandLines({ name, options, operands }: CommandFacts): string {
  const most = operandsMax(operands);
  const place = Number.isFinite(most) ? Array.from({ length: most }, (_, index) => `${index + 1}`) : ["*"];
  const specs = place.map((place) =>
    quoted(`${place}:${escapeColons(operands.usage)}:${action(operands.values)}`)
  );
  const lines = [
    ...specs.map((spec) => `      ${spec}`),
    ...(options.length > 0 ? [optionLines(options, 6)] : []),
  ];
  return `    ("${name}") _arguments -s -S $common${lines.map((line) => ` \\\n${line}`).join("")} ;;`
    .replaceAll(/'\n(?= {6}['(])/g, "' \\\n");
}

/** Returns the options as specifications of `_arguments`. */
function optionLines(options: readonly OptionFacts[], columns = 4): string {
  return options.map((option) => " ".repeat(columns) + optionSpec(option)).join("\n");
}

function optionSpec({ name, short, placeholder, brief, repeatable, values }: OptionFacts): string {
  const value = placeholder === "" ? "" : `:${escapeColons(placeholder)}:${action(values)}`;
  const meaning = `[${brief.replaceAll(/[\\[\]]/g, "\\$&")}]${value}`;
  const long = placeholder === "" ? name : `${name}=`;
  const star = repeatable ? "*" : "";
  if (short === "") return quoted(`${star}${long}${meaning}`);
  const letter = placeholder === "" ? short : `${short}+`;
  return `${quoted(`${star}(${short} ${name})`)}{${letter},${long}}${quoted(meaning)}`;
}

function action({ choices, completion, separator }: ValueFacts): string {
  if (choices.length > 0) {
    return separator === ""
      ? `(${choices.join(" ")})`
      : `_sequence -s ${separator} compadd - ${choices.join(" ")}`;
  }
  if (completion === "") return " ";
  if (completion === "file") return "_files";
  // The leading space keeps _arguments from adding arguments of its own.
  return completion === "folder" ? "_files -/" : ` _model-sync_values ${completion}`;
}

function escapeColons(text: string): string {
  return text.replaceAll(":", "\\:");
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
