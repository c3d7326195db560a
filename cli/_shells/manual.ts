import { VERSION } from "../../lib/core/version.ts";
import { EXIT_CODES, GROUP_ORDER, wrap, wrapCommand } from "../_help.ts";
import { DEFAULT_CONFIG_FILE } from "../_options.ts";
import {
  allPrograms,
  type CommandFacts,
  COMMON,
  GROUPS,
  type OptionFacts,
  type ProgramFacts,
} from "./command_facts.ts";

/** Returns the manual page `model-sync(1)` in the macros of man(7). It has no date, so that the same source gives the same page. */
export function renderManual(): string {
  return [
    `.TH MODEL\\-SYNC 1 "" "model\\-sync ${VERSION}" "User Commands"`,
    ".nh",
    ".ad l",
    ".SH NAME",
    "model\\-sync \\- move models from where they are trained to where they serve",
    ".SH SYNOPSIS",
    "\\fBmodel\\-sync\\fR \\fICOMMAND\\fR [options]",
    ".SH DESCRIPTION",
    ...paragraphs(DESCRIPTION),
    ...GROUPS.flatMap(({ title, programs }) => [`.SS ${title}`, ...programs.flatMap(summaryLines)]),
    ".SH OPTIONS",
    "Every command has these options. Options follow the command's name.",
    ...COMMON.flatMap(optionLines),
    ...entry("\\fB\\-h\\fR, \\fB\\-\\-help\\fR", "Show the help of a command"),
    ".SH COMMANDS",
    ...allPrograms().flatMap(({ commands }) => commands.flatMap(commandLines)),
    ".SH EXIT STATUS",
    ...EXIT_CODES.flatMap((line) => {
      const [code = "", ...meaning] = line.split(" ");
      return entry(`\\fB${code}\\fR`, meaning.join(" "));
    }),
    ".SH ENVIRONMENT",
    ...ENVIRONMENT.flatMap(([name, meaning]) => entry(`\\fB${name}\\fR`, meaning)),
    ".SH FILES",
    ...FILES.flatMap(([path, meaning]) => entry(`\\fI${code(path)}\\fR`, meaning)),
    ".SH SEE ALSO",
    "\\fBgit\\fR(1), \\fBsystemd\\fR(1)",
    "",
  ].join("\n");
}

const DESCRIPTION = [
  "model-sync moves machine-learning models from the machine that trains them to the machines that use them: through " +
  "a git repository, a RunPod job, GitHub Actions artifacts or a Hugging Face repository. Every release is verified " +
  "before one rename activates it. If anything fails, the previous release stays active.",
  "Logs and progress go to standard error, results to standard output.",
];

const ENVIRONMENT = [
  ["MODEL_SYNC_*", "Settings by their names: client.schedule is MODEL_SYNC_CLIENT_SCHEDULE"],
  ["NO_COLOR", "Print no colours"],
  ["HTTPS_PROXY, HTTP_PROXY, NO_PROXY", "Proxies"],
] as const;

const FILES = [
  [DEFAULT_CONFIG_FILE, "The configuration, in the working directory"],
  [".env", "Variables that the environment does not have, in the working directory"],
  ["models", "The model folder"],
  [".model-sync", "The store, beside the model folder"],
] as const;

function paragraphs(texts: readonly string[]): string[] {
  return texts.flatMap((text, index) => index === 0 ? [prose(text)] : [".PP", prose(text)]);
}

function summaryLines({ name, summary }: ProgramFacts): string[] {
  return entry(`\\fB${code(name)}\\fR`, summary);
}

function commandLines({ name, summary, usage, operands, options, examples }: CommandFacts): string[] {
  const groups = GROUP_ORDER.map((group) => options.filter((option) => option.group === group))
    .filter((options) => options.length > 0);
  return [
    `.SS model\\-sync ${code(name)}`,
    prose(`${summary}.`),
    ...codeBlock(wrap(usage, CODE_COLUMNS, INDENTATION)),
    ...(operands.usage === "" ? [] : entry(`\\fI${code(operands.usage)}\\fR`, operands.brief)),
    ...groups.flatMap((options) => [
      ".PP",
      `${options[0]?.group}:`,
      ...options.flatMap(optionLines),
    ]),
    ".PP",
    "Examples:",
    ...codeBlock(examples.flatMap(([does = "", line = ""]) => [`# ${does}`, ...commandLinesOf(line)])),
  ];
}

function optionLines({ name, short, placeholder, meaning }: OptionFacts): string[] {
  const names = [short, name].filter((typed) => typed !== "").map((typed) => `\\fB${code(typed)}\\fR`).join(
    ", ",
  );
  return entry(placeholder === "" ? names : `${names} \\fI${code(placeholder)}\\fR`, meaning);
}

function entry(term: string, meaning: string): string[] {
  return [".TP", term, prose(meaning)];
}

/** What is left of 80 columns beside the margins of the page and the indentation of code. */
const CODE_COLUMNS = 66;

const INDENTATION = "    ";

/** Returns a command line as lines that fit, which a shell reads as one. */
function commandLinesOf(line: string): string[] {
  return wrapCommand(line, INDENTATION.length + CODE_COLUMNS).map((part) => part.slice(INDENTATION.length));
}

function codeBlock(lines: readonly string[]): string[] {
  return [".PP", ".nf", ...lines.map((line) => `${INDENTATION}${code(line)}`), ".fi"];
}

/** The longest line that `mandoc -T lint` accepts. */
const COLUMNS = 80;

/** Returns text for the page. A period or an apostrophe at the beginning of a line would be a macro. */
function prose(text: string): string {
  const escaped = text.replaceAll("\\", "\\e").replaceAll(/(?<![a-z])-|-(?=-)/gi, "\\-");
  return wrap(escaped, COLUMNS - "\\&".length).map((line) => /^[.']/.test(line) ? `\\&${line}` : line).join(
    "\n",
  );
}

/** Returns code for the page. Without escapes, troff would replace characters such as `-` and `'`. */
function code(text: string): string {
  const escaped = text.replaceAll("\\", "\\e").replaceAll(/[-'~^`]/g, (char) => CODE_ESCAPES[char] ?? char);
  return escaped.startsWith(".") ? `\\&${escaped}` : escaped;
}

const CODE_ESCAPES: Readonly<Record<string, string>> = {
  "-": "\\-",
  "'": "\\(aq",
  "~": "\\(ti",
  "^": "\\(ha",
  "`": "\\(ga",
};
