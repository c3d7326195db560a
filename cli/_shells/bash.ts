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

/**
 * Returns the completion script of bash. It works in bash 3.2, which macOS has, and needs no package bash-completion.
 *
 * `compopt` lets readline complete paths itself, with quotes and `~`; bash 3.2 does not have it.
 */
export function bashScript(): string {
  return `# bash completion for model-sync ${VERSION}: model-sync completions bash
#
# With the package bash-completion, for new shells:
#   mkdir -p ~/.local/share/bash-completion/completions
#   model-sync completions bash > ~/.local/share/bash-completion/completions/model-sync
# Without it, add to ~/.bashrc:
#   source <(model-sync completions bash)

# Sets "options" to the options of a command.
_model_sync_options() {
  case "$1" in
${indent(optionLines(), 4)}
  esac
  options="$options ${names(COMMON)} --help"
}

# Sets "takes" to the value that an option of a command takes: "words SEPARATOR WORD...", "values LIST", "file",
# "folder" or "text"; to nothing for an option without a value.
_model_sync_takes() {
  case "$1 $2" in
${indent(takesLines(), 4)}
    *) takes= ;;
  esac
}

# Sets "takes" to the operand of a command, and "most" to the number of operands.
_model_sync_operands() {
  case "$1" in
${indent(operandLines(), 4)}
    *) takes= most=0 ;;
  esac
}

# Completes "cur" with words.
_model_sync_words() {
  local IFS=$' \\n' word
  for word in $1; do
    [[ $word == "$cur"* ]] && COMPREPLY+=("$lead$word")
  done
}

# Completes "cur" with values of this machine.
_model_sync_values() {
  local program=\${COMP_WORDS[0]/#\\~\\//$HOME/} value description
  type -P "$program" >/dev/null || program=model-sync
  while IFS=$'\\t' read -r value description; do
    [[ $value == "$cur"* ]] && COMPREPLY+=("$lead$value")
  done < <("$program" ${LIST_VALUES} "$1" "\${COMP_WORDS[@]:1}" </dev/null 2>/dev/null)
}

# Completes "cur" with paths: "default" -f for files, "dirnames" -d for folders.
_model_sync_paths() {
  [[ -z $lead ]] && compopt -o "$1" 2>/dev/null && return
  local IFS=$'\\n'
  COMPREPLY=($(compgen "$2" -P "$lead" -- "$cur"))
}

_model_sync_complete() {
  case "$takes" in
    "words , "*)
      if [[ $cur == *,* ]]; then
        lead=$lead\${cur%,*}, cur=\${cur##*,}
      fi
      _model_sync_words "\${takes#words , }" ;;
    "words - "*) _model_sync_words "\${takes#words - }" ;;
    "values "*) _model_sync_values "\${takes#values }" ;;
    file) _model_sync_paths default -f ;;
    folder) _model_sync_paths dirnames -d ;;
  esac
}

_model_sync() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]}
  local command=\${COMP_WORDS[1]} lead= options= takes= most=0 count=0 option= first=2 i
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    _model_sync_words "${allPrograms().map(({ name }) => name).join(" ")} help --help --version"
    return
  fi
  case "$command" in
${indent(subcommandLines(), 4)}
    help)
      ((COMP_CWORD == 2)) && _model_sync_words "${allPrograms().map(({ name }) => name).join(" ")}"
      return ;;
  esac

  # bash makes words of their own of "=" and ":".
  if [[ $cur == "=" ]]; then
    option=$prev cur=
  elif [[ $prev == "=" ]]; then
    option=\${COMP_WORDS[COMP_CWORD-2]}
  elif [[ $cur == --*=* ]]; then
    option=\${cur%%=*} lead=$option= cur=\${cur#*=}
  elif [[ $cur == ":" || $prev == ":" ]]; then
    return
  else
    option=$prev
  fi
  _model_sync_takes "$command" "$option"
  if [[ -n $takes ]]; then
    _model_sync_complete
    return
  fi

  option=
  for ((i = first; i < COMP_CWORD; i++)); do
    case "\${COMP_WORDS[i]}" in
      --) option=none ;;
      [=:]) ((i++)) ;;
      -*)
        _model_sync_takes "$command" "\${COMP_WORDS[i]}"
        [[ -n $takes && -z $option && \${COMP_WORDS[i+1]} != "=" ]] && ((i++)) ;;
      *) ((count++)) ;;
    esac
  done
  if [[ $cur == -* && -z $option ]]; then
    _model_sync_options "$command"
    _model_sync_words "$options"
    return
  fi
  _model_sync_operands "$command"
  ((count < most)) && _model_sync_complete
}

complete -F _model_sync model-sync
`;
}

function indent(lines: readonly string[], columns: number): string {
  return lines.map((line) => " ".repeat(columns) + line).join("\n");
}

/** A value of bash in double quotes; names and choices hold nothing that bash expands. */
function quoted(text: string): string {
  return `"${text}"`;
}

function names(options: readonly OptionFacts[]): string {
  return options.map(({ name }) => name).join(" ");
}

function optionLines(): string[] {
  return allCommands().map(({ name, options }) => `${quoted(name)}) options=${quoted(names(options))} ;;`);
}

/** Returns one line for each value of an option: what all commands have in common comes last. */
function takesLines(): string[] {
  const own = allCommands().flatMap((command) => optionLinesOf(quoted(command.name), command.options));
  return [...own, ...optionLinesOf("*", COMMON)];
}

function optionLinesOf(command: string, options: readonly OptionFacts[]): string[] {
  return options.filter(({ placeholder }) => placeholder !== "").map(({ name, short, values }) => {
    const patterns = [name, short].filter((typed) => typed !== "").map((typed) => `${command}" ${typed}"`);
    return `${patterns.join(" | ")}) takes=${quoted(takes(values))} ;;`;
  });
}

function takes({ choices, completion, separator }: ValueFacts): string {
  if (choices.length > 0) return `words ${separator === "" ? "-" : separator} ${choices.join(" ")}`;
  if (completion === "") return "text";
  return ["file", "folder"].includes(completion) ? completion : `values ${completion}`;
}

function operandLines(): string[] {
  return allCommands().filter(({ operands }) => operands.usage !== "").map(({ name, operands }) => {
    const most = operandsMax(operands);
    return `${quoted(name)}) takes=${quoted(takes(operands.values))} most=${
      Number.isFinite(most) ? most : "COMP_CWORD"
    } ;;`;
  });
}

function subcommandLines(): string[] {
  return programsWithSubcommands().flatMap(({ name, commands }) => [
    `${name})`,
    `  if ((COMP_CWORD == 2)); then`,
    `    _model_sync_words ${
      quoted(commands.map((command: CommandFacts) => subcommandName(command)).join(" "))
    }`,
    `    return`,
    `  fi`,
    `  command="$command \${COMP_WORDS[2]}" first=3 ;;`,
  ]);
}
