import type { Declaration, Option, OptionGroup, Options } from "./_declaration.ts";

/** Commands by what they are for, each with its summary. */
export const COMMAND_GROUPS = {
  "Publish": {
    publish: "Train, then publish the models to the git registry",
    "hf-upload": "Upload the models to a Hugging Face repository",
    withdraw: "Withdraw a release: clients refuse it and roll back",
    train: "Train and pack the models into an archive, or serve RunPod jobs",
  },
  "Pull": {
    pull: "Pull the newest release from the git registry and activate it",
    "hf-pull": "Pull the newest release from a Hugging Face repository and activate it",
    "artifact-pull": "Pull the models that a GitHub Actions workflow uploaded and activate them",
    "runpod-pull": "Train on RunPod, then pull the models and activate them",
  },
  "Releases on this machine": {
    status: "Show the active release, the last runs and the next ones",
    releases: "List the releases of this machine, and the newest at the source",
    diff: "Compare the files of two releases",
    history: "Show which release was active when, and why",
    log: "Show the runs on record, filtered, or one run in detail",
    verify: "Check the active files against their manifest",
    rollback: "Activate the previous release, or any release in the store",
    canary: "Show, promote or abort the canary",
    quarantine: "List quarantined releases, quarantine a release or lift its quarantine",
    prune: "Remove old releases from the store",
  },
  "Daemon and dashboard": {
    daemon: "Publish, pull and sync references on a schedule",
    dashboard: "Serve the web page of this machine and of reporting nodes",
    pause: "Pause roles of a daemon",
    resume: "Resume paused roles of a daemon",
    "run-now": "Run a role of a running daemon now",
    service: "Install, remove or check a daemon or timer as a service",
  },
  "Backends and references": {
    redeploy: "Trigger deploy hooks and wait for the new release to be live",
    "references-sync": "Propose PRIMARY's model records to reference repositories by pull request",
  },
  "Setup": {
    init: "Create a configuration for this machine, and check it",
    doctor: "Diagnose this machine's setup and suggest fixes",
    completions: "Print the completion script of a shell",
    man: "Print the manual page",
    config: "Check, print or create a configuration file",
    keys: "Create signing keys, sign or verify a folder",
  },
} as const;

/** The summary of each command. */
export const SUMMARIES = {
  ...COMMAND_GROUPS.Publish,
  ...COMMAND_GROUPS.Pull,
  ...COMMAND_GROUPS["Releases on this machine"],
  ...COMMAND_GROUPS["Daemon and dashboard"],
  ...COMMAND_GROUPS["Backends and references"],
  ...COMMAND_GROUPS.Setup,
};

export type CommandName = keyof typeof SUMMARIES;

/** The order of options' headings: what the command is about first, what every command has last. */
export const GROUP_ORDER: readonly OptionGroup[] = [
  "Options",
  "Git registry",
  "Hugging Face",
  "GitHub Actions",
  "RunPod job",
  "References",
  "Training",
  "Backend",
  "Safety",
  "Configuration and output",
];

/** The usual width of a terminal, where its size is unknown. */
const DEFAULT_COLUMNS = 80;
/** Narrower lines break words, wider ones are hard to read. */
const [COLUMNS_MIN, COLUMNS_MAX] = [50, 100];

export const EXIT_CODES = [
  "0 done or unchanged",
  "1 failed",
  "2 usage or configuration",
  "3 authentication",
  "4 unreachable",
  "5 refused",
  "6 locked",
  "7 disk",
  "8 rolled back",
  "130 interrupted",
];

/** A name, a placeholder or an option with what it means. */
export type Entry = readonly [term: string, meaning: string];

/** Whether a command line asks for help: after `--`, words are operands. */
export function asksForHelp(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  return (end === -1 ? args : args.slice(0, end)).some((arg) => HELP.includes(arg));
}

/** Returns what is wrong with a word in the place of a command's name. @param command the word, after its group */
export function noSuchCommand(command: string, typed: string): string {
  if (!typed.startsWith("-")) return `Cannot run "${command}": there is no such command`;
  // A value behind = may be a secret.
  return `Cannot use ${typed.split("=", 1).join()} here: options follow the command's name`;
}

/** Whether a command line that is not parsed asks for JSON. */
export function asksForJson(args: readonly string[]): boolean {
  return args.some((arg, index) =>
    JSON_WORDS.includes(arg) || (OUTPUT_WORDS.includes(args[index - 1] ?? "") && arg === "json")
  );
}

const JSON_WORDS: readonly string[] = ["--json", "--output=json", "-ojson"];
const OUTPUT_WORDS: readonly string[] = ["--output", "-o"];

const HELP: readonly string[] = ["--help", "-h"];

/** Returns the list of commands. @param columns the terminal's width */
export function overview(version: string, columns: number | undefined): string {
  const width = helpWidth(columns);
  const termWidth = Math.max(...Object.keys(SUMMARIES).map((name) => name.length));
  return [
    ...wrap(
      `model-sync ${version} moves models from where they are trained to where they serve, safely.`,
      width,
    ),
    "",
    "Usage: model-sync COMMAND [options]",
    ...Object.entries(COMMAND_GROUPS).flatMap(([title, commands]) => [
      "",
      `${title}:`,
      ...list(Object.entries(commands), width, termWidth),
    ]),
    "",
    "Help:",
    ...list([
      ["model-sync help COMMAND", "Show a command's options and examples"],
      ["model-sync --version", "Show the version; with --json, as JSON"],
    ], width),
    "",
    ...wrap(`Exit codes: ${EXIT_CODES.map(unbroken).join(", ")}`, width),
  ].join("\n");
}

/** Returns the help of a command. @param title `model-sync pull` */
export function commandHelp(title: string, command: Declaration, columns: number | undefined): string {
  const width = helpWidth(columns);
  const { operands } = command;
  const sections = optionSections(command.options);
  const termWidth = Math.max(...sections.flatMap(({ entries }) => entries).map(([term]) => term.length));
  return [
    ...wrap(`Usage: ${usageOf(title, command)}`, width, " ".repeat("Usage: ".length)),
    "",
    ...wrap(`${command.summary}.`, width),
    ...(operands.usage === "" ? [] : ["", "Operands:", ...list([[operands.usage, operands.brief]], width)]),
    ...sections.flatMap(({ group, entries }) => ["", `${group}:`, ...list(entries, width, termWidth)]),
    "",
    "Examples:",
    ...command.examples.flatMap(([does, line]) => [
      ...wrap(`${does}:`, width, "  ", "  "),
      ...wrapCommand(line, width),
    ]),
  ].join("\n");
}

/** Returns the help of a group of commands. @param title `model-sync keys` */
export function groupHelp(
  title: string,
  summary: string,
  commands: Readonly<Record<string, Declaration>>,
  columns: number | undefined,
): string {
  const width = helpWidth(columns);
  return [
    ...wrap(`Usage: ${title} COMMAND [options]`, width, " ".repeat("Usage: ".length)),
    "",
    ...wrap(`${summary}.`, width),
    "",
    "Commands:",
    ...list(Object.entries(commands).map(([name, { summary }]): Entry => [name, summary]), width),
    "",
    ...wrap(`${title} COMMAND --help shows a command's options and examples.`, width),
  ].join("\n");
}

function helpWidth(columns: number | undefined): number {
  // A terminal without a size says that it has no columns.
  return Math.min(COLUMNS_MAX, Math.max(COLUMNS_MIN, columns || DEFAULT_COLUMNS));
}

/** Returns how a command is typed: `model-sync keys sign --private-key FILE FOLDER [options]`. */
export function usageOf(title: string, { options, operands }: Declaration): string {
  const required = Object.entries(options).flatMap(([name, option]) =>
    option.kind === "value" && option.required ? [termOf(name, option)] : []
  );
  return [title, ...required, operands.usage, "[options]"].filter((part) => part !== "").join(" ");
}

/** Returns the options below their headings, in the order of the help, without hidden options. */
export function optionSections(options: Options): { group: OptionGroup; entries: Entry[] }[] {
  return GROUP_ORDER.map((group) => ({ group, entries: optionEntries(options, group) }))
    .filter(({ entries }) => entries.length > 0);
}

function optionEntries(options: Options, group: OptionGroup): Entry[] {
  const entries = Object.entries(options).flatMap(([name, option]): Entry[] =>
    option.group === group && !option.hidden ? [[termOf(name, option), meaningOf(option)]] : []
  );
  return group === GROUP_ORDER.at(-1) ? [...entries, ["-h, --help", "Show this help"]] : entries;
}

/** Returns an option in the spelling of the command line: `dryRun` is `--dry-run`. */
export function optionName(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

function termOf(name: string, option: Option): string {
  const typed = optionName(name);
  const names = option.short === undefined ? typed : `-${option.short}, ${typed}`;
  return option.kind === "value" ? `${names} ${option.placeholder}` : names;
}

/** Returns the brief with the choices, and in parentheses what else a value may be. */
export function meaningOf(option: Option): string {
  const { brief, note, standard } = option;
  const choices = option.kind === "value" && option.choices !== undefined ? [listed(option.choices)] : [];
  const facts = [
    ...(note === undefined ? [] : [note]),
    ...(option.kind === "value" && option.repeatable ? ["repeatable"] : []),
    ...(standard === undefined ? [] : [`default:${gapBefore(String(standard))}${standard}`]),
  ];
  return [brief, ...choices].join(": ") + (facts.length === 0 ? "" : ` (${facts.join("; ")})`);
}

/** A short default stays on one line with the word before it. */
function gapBefore(standard: string): string {
  return /^\S{25}/.test(standard) ? " " : NO_BREAK;
}

/** Returns `a, b or c`. */
function listed(choices: readonly string[]): string {
  return `${choices.slice(0, -1).join(", ")} or ${choices.at(-1)}`;
}

/** A terminal narrower than this has no room for two columns with long terms. */
const TWO_COLUMNS_MIN = 70;

/** Returns lines of terms with their meanings beside them, or below terms that are too long for that. */
function list(entries: readonly Entry[], width: number, termWidth = 0): string[] {
  const longest = Math.max(termWidth, ...entries.map(([term]) => term.length)) + "    ".length;
  const isNarrow = width < TWO_COLUMNS_MIN && longest > width * 0.4;
  const column = isNarrow ? 6 : Math.min(longest, Math.floor(width * 0.42));
  const indent = " ".repeat(column);
  return entries.flatMap(([term, meaning]) => {
    const [first = "", ...others] = wrap(meaning, width, indent, indent);
    if (isNarrow || term.length + "    ".length > column) return [`  ${term}`, first, ...others];
    return [`  ${term}`.padEnd(column) + first.trimStart(), ...others];
  });
}

/** Returns the lines of a text, broken between words. */
export function wrap(text: string, width: number, indent = "", firstIndent = ""): string[] {
  return wrapParts(text.split(" "), width, indent, firstIndent).map((line) => line.replaceAll(NO_BREAK, " "));
}

function wrapParts(parts: readonly string[], width: number, indent: string, firstIndent: string): string[] {
  const lines: string[] = [];
  let line: string | undefined;
  for (const part of parts) {
    if (line !== undefined && line.length + 1 + part.length > width) {
      lines.push(line);
      line = indent + part;
    } else {
      line = line === undefined ? firstIndent + part : `${line} ${part}`;
    }
  }
  return line === undefined ? lines : [...lines, line];
}

/** Returns the indented lines of a command that a shell reads as one. An option and its value stay on one line. */
export function wrapCommand(command: string, width: number): string[] {
  const parts = command.split(/ (?=[-|<>])/);
  const lines = wrapParts(parts, width - " \\".length, " ".repeat(8), " ".repeat(4));
  return lines.map((line, index) => index < lines.length - 1 ? `${line} \\` : line);
}

const NO_BREAK = "\u00a0";

/** Keeps the words of a text on one line. */
function unbroken(text: string): string {
  return text.replaceAll(" ", NO_BREAK);
}
