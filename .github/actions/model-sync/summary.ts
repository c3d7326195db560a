import * as z from "zod";
import { cleanLine } from "../../../lib/core/clean_text.ts";
import { formatBytes, formatDuration, plural } from "../../../lib/core/format.ts";
import type { Ending, Failure, Result } from "./result.ts";

/**
 * The longest summary, in UTF-16 units. GitHub's limit for a comment is 65,536 characters, and for a job summary 1 MiB.
 * The rest is for the comment's first line.
 */
export const SUMMARY_CHARS_MAX = 60_000;

/** Enough for the facts of every command; `--json` has all. */
const ROWS_MAX = 20;

/** More problems have one cause. */
const LISTED_MAX = 20;

/** The part of the summary that the list of changes may fill. The rest is for rows, warnings and an error. */
const DIFF_CHARS_MAX = 40_000;

/** A name and two values: the dry run shortens values to 160 characters. */
const DIFF_LINE_CHARS_MAX = 500;

/** The first lines of a help or of a text without JSON. */
const PLAIN_LINES_MAX = 200;

/** Returns how a command ended, as Markdown. Texts of models and servers stay text, whatever Markdown they contain. */
export function renderSummary(command: string, ending: Ending): string {
  const { result, facts, failure } = ending;
  const parts = [
    `### ${title(command, ending)}`,
    ...(failure === undefined ? [] : failureParts(failure)),
    ...table(facts),
    ...listParts(facts),
    ...(result === undefined ? [] : resultParts(result)),
    ...(failure === undefined && result === undefined ? plainParts(ending) : []),
    ...warningParts((result ?? failure)?.warnings ?? []),
  ];
  const whole = parts.join("\n\n");
  return whole.length <= SUMMARY_CHARS_MAX
    ? `${whole}\n`
    : `### ${
      title(command, ending)
    }\n\nThe result is too long for a summary. See "Result" in the log of this step.\n`;
}

function title(command: string, { exitCode, result, failure }: Ending): string {
  const name = `model-sync ${command}${result?.dryRun === true ? " (dry run)" : ""}`;
  if (exitCode !== 0) {
    return `✗ ${name} failed${failure === undefined ? "" : `: ${failure.code}`} (exit code ${exitCode})`;
  }
  return `✓ ${name}${result?.outcome === undefined ? "" : `: ${result.outcome}`}`;
}

function failureParts({ message, hint }: Failure): string[] {
  return [block("text", [message]), ...(hint === undefined ? [] : ["Next:", block("text", [hint])])];
}

function resultParts(result: Result): string[] {
  return [
    ...changeParts(result),
    ...categoryParts(result.categories ?? []),
    ...repositoryParts(result.repositories ?? []),
    ...checkParts(result.checks ?? []),
  ];
}

/** Returns the members of a result that have one value. */
function table(facts: Ending["facts"]): string[] {
  const rows = facts.flatMap(([name, value]) => {
    const shown = name === "outcome" || name === "dryRun" ? undefined : fact(name, value);
    return shown === undefined ? [] : [`| ${words(name)} | ${shown} |`];
  }).slice(0, ROWS_MAX);
  return rows.length === 0 ? [] : [["| | |", "| --- | --- |", ...rows].join("\n")];
}

/** Lists that a command prints: of `releases`, `history`, `status`. The other ones have parts of their own. */
const LISTS: readonly string[] = ["releases", "periods", "runs", "quarantine"];
const Entries = z.array(z.record(z.string(), z.unknown())).min(1);

/** More columns do not fit into the page. The first ones name an entry. */
const COLUMNS_MAX = 6;

/** Returns lists as tables. */
function listParts(facts: Ending["facts"]): string[] {
  return facts.flatMap(([name, value]) => {
    const entries = LISTS.includes(name) ? Entries.safeParse(value).data : undefined;
    if (entries === undefined) return [];
    const hasValue = (column: string) => entries.some((entry) => fact(column, entry[column]) !== undefined);
    const columns = Object.keys(entries[0] ?? {}).filter(hasValue).slice(0, COLUMNS_MAX);
    const row = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
    const shown = entries.slice(0, LISTED_MAX);
    const rest = entries.length - shown.length;
    return [
      `${words(name)}:`,
      [
        row(columns.map(words)),
        row(columns.map(() => "---")),
        ...shown.map((entry) => row(columns.map((column) => fact(column, entry[column]) ?? ""))),
      ].join("\n"),
      ...(rest === 0 ? [] : [`${rest} more: see "Result" in the log of this step.`]),
    ];
  });
}

/** A release, such as the current one of `status`. */
const Named = z.object({ digest: z.string() });

function fact(name: string, value: unknown): string | undefined {
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "number") {
    if (/bytes$/i.test(name)) return formatBytes(value);
    return /Ms$/.test(name) ? formatDuration(value) : String(value);
  }
  const text = typeof value === "string" ? value : Named.safeParse(value).data?.digest ?? "";
  return text === "" ? undefined : code(text);
}

/** Returns a name of JSON as words: `run id` for `runId`. */
function words(name: string): string {
  const short = name.replace(/Ms$/, "");
  return short.replace(/[^A-Za-z\d]/g, " ").replace(/(?<=[a-z])(?=[A-Z])/g, " ").toLowerCase();
}

/** Returns text in a table as code. A bar would end the cell, even in code; a backtick would end the code. */
function code(text: string): string {
  const line = cleanLine(text, { charsMax: 300 }).replaceAll("|", "¦").replaceAll("`", "'");
  return `\`${line}\``;
}

function changeParts({ changes, changed }: Result): string[] {
  if (changes === undefined || changed !== undefined) return [];
  return diffPart(listed(changes));
}

/** Returns names as lines of a diff: GitHub colours lines that begin with +, - or !. */
function listed(
  { added = [], modified = [], removed = [] }: {
    readonly added?: readonly string[] | undefined;
    readonly modified?: readonly string[] | undefined;
    readonly removed?: readonly string[] | undefined;
  },
): string[] {
  return [
    ...added.map((name) => `+ ${name}`),
    ...modified.map((name) => `! ${name}`),
    ...removed.map((name) => `- ${name}`),
  ];
}

const MARKS = { added: "+", modified: "!", removed: "-" } as const;

function categoryParts(categories: NonNullable<Result["categories"]>): string[] {
  const failed = categories.flatMap(({ category, error }) =>
    error === undefined ? [] : [`${category}: ${error.message}`, ...nextLine(error.hint)]
  );
  const changed = categories.flatMap(({ category, lines, ...names }) => {
    // The text of a dry run has a mark of its own at the beginning of a model's line.
    const shown = lines?.map(({ kind, text }) => `${MARKS[kind]} ${text.replace(/^[+~-] /, "")}`) ??
      listed(names);
    return shown.length === 0 ? [] : [`@@ ${category} @@`, ...shown];
  });
  return [...problemPart(failed), ...diffPart(changed)];
}

function repositoryParts(repositories: NonNullable<Result["repositories"]>): string[] {
  const lines = repositories.map(({ repository, outcome, changes = 0, pullRequest, error }) => {
    const link = pullRequest === undefined || pullRequest === null ? "" : ` ${linked(pullRequest.url)}`;
    const problem = error === undefined ? "" : `: ${code(error.message)}`;
    return `- ${code(repository)}: ${outcomeWords(outcome)}, ${plural(changes, "change")}${link}${problem}`;
  });
  return lines.length === 0 ? [] : [lines.slice(0, LISTED_MAX).join("\n")];
}

function outcomeWords(outcome: string): string {
  return outcome === "shown" ? "dry run" : outcome.replace(/[^a-z ]/g, " ");
}

/** Returns an address as a link; anything but a plain web address stays code. */
function linked(url: string): string {
  return /^https?:\/\/[\w.:-]+\/[\w./-]*$/.test(url) ? url : code(url);
}

function checkParts(checks: NonNullable<Result["checks"]>): string[] {
  const wanting = checks.filter(({ status }) => status !== "pass").flatMap((
    { name, status, detail, mend },
  ) => [
    `${status} ${name}: ${detail}`,
    ...nextLine(mend),
  ]);
  const passed = checks.filter(({ status }) => status === "pass").length;
  return checks.length === 0 ? [] : [`${passed} of ${checks.length} checks passed.`, ...problemPart(wanting)];
}

function nextLine(hint: string | undefined): string[] {
  return hint === undefined ? [] : [`next: ${hint}`];
}

function problemPart(lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [block("text", lines.slice(0, 2 * LISTED_MAX))];
}

function warningParts(warnings: readonly string[]): string[] {
  const shown = warnings.slice(0, LISTED_MAX);
  const rest = warnings.length - shown.length;
  return shown.length === 0
    ? []
    : ["Warnings:", block("text", [...shown, ...(rest === 0 ? [] : [`and ${rest} more`])])];
}

/** Returns the text of a command without JSON, such as its help. */
function plainParts({ printed, exitCode }: Ending): string[] {
  if (printed.trim() !== "") return [block("text", printed.split("\n").slice(0, PLAIN_LINES_MAX))];
  return exitCode === 0 ? [] : ["The log of this step says why."];
}

/** Returns a diff that fits, with the number of lines that are left out. */
function diffPart(lines: readonly string[]): string[] {
  if (lines.length === 0) return [];
  const shown: string[] = [];
  let chars = 0;
  for (const line of lines) {
    const clean = cleanLine(line, { charsMax: DIFF_LINE_CHARS_MAX });
    chars += clean.length + 1;
    if (chars > DIFF_CHARS_MAX) break;
    shown.push(clean);
  }
  const rest = lines.length - shown.length;
  return [
    block("diff", shown),
    ...(rest === 0 ? [] : [`${plural(rest, "more line")}: see "Result" in the log of this step.`]),
  ];
}

/** Returns lines in a fence that none of them can close. */
function block(language: string, lines: readonly string[]): string {
  const clean = lines.map((line) => cleanLine(line));
  const longest = clean.join("\n").matchAll(/`{3,}/g).reduce((most, [run]) => Math.max(most, run.length), 2);
  const fence = "`".repeat(longest + 1);
  return [`${fence}${language}`, ...clean, fence].join("\n");
}
