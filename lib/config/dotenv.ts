/** A line that sets a variable, or begins to set one. */
const ASSIGNMENT = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=(.*)$/;

/**
 * Returns the variables of a `.env` file by the rules of the original bots: `KEY=VALUE` lines with an optional
 * `export`, one pair of surrounding quotes removed, comments from `#` at the begin of a line or after a blank. A value in
 * quotes may have several lines, such as a PEM. Nothing is interpolated.
 *
 * Node's `parseEnv` reads other values from the same file: it cuts `TOKEN=ab#cd` at the `#`, takes the next line as the
 * value of `KEY=` followed by a blank, turns `\n` in `"C:\new"` into a line break, and keeps a byte order mark in the
 * first name. `dotenv_test.ts` shows each difference.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { parseDotenv } from "./dotenv.ts";
 * assert.deepEqual(parseDotenv('# key\nRUNPOD_API_KEY="rp_1"\nexport A=b=c\n'), new Map([["RUNPOD_API_KEY", "rp_1"], ["A", "b=c"]]));
 * assert.deepEqual(parseDotenv('KEY="-----BEGIN\nMII=\n"'), new Map([["KEY", "-----BEGIN\nMII=\n"]]));
 * ```
 */
export function parseDotenv(text: string): Map<string, string> {
  const variables = new Map<string, string>();
  const lines = text.split(/\r?\n/);
  for (let index = 0; index < lines.length; index++) {
    const [, name, rest] = ASSIGNMENT.exec(lines[index] ?? "") ?? [];
    if (name === undefined || rest === undefined) continue;
    const value = rest.trim();
    const block = quoted(value) === undefined
      ? quotedBlock(value, rest.trimStart(), lines, index)
      : undefined;
    variables.set(name, block?.value ?? unquote(value));
    index = block?.end ?? index;
  }
  return variables;
}

/** A value that ends on a later line, and the index of that line. */
interface QuotedBlock {
  readonly value: string;
  readonly end: number;
}

/**
 * Returns a value whose closing quote is at the end of a later line. A line in between that sets a variable in quotes
 * ends the search: the first quote then belongs to the value, or its closing quote is missing.
 */
function quotedBlock(
  value: string,
  firstLine: string,
  lines: readonly string[],
  start: number,
): QuotedBlock | undefined {
  const quote = value[0];
  if (quote !== '"' && quote !== "'") return undefined;
  const parts = [firstLine.slice(1)];
  for (let end = start + 1; end < lines.length; end++) {
    const line = lines[end] ?? "";
    if (/^["']/.test(ASSIGNMENT.exec(line)?.[2]?.trimStart() ?? "")) return undefined;
    const close = closingQuote(line, quote);
    if (close !== undefined) return { value: [...parts, line.slice(0, close)].join("\n"), end };
    parts.push(line);
  }
  return undefined;
}

/** Returns the index of the quote that ends the line, ignoring blanks and a comment behind it. */
function closingQuote(line: string, quote: string): number | undefined {
  const close = line.lastIndexOf(quote);
  if (close === -1) return undefined;
  if (line.slice(close + 1).trim() === "") return close;
  const first = line.indexOf(quote);
  return /^\s+#/.test(line.slice(first + 1)) ? first : undefined;
}

function unquote(value: string): string {
  // The pattern matches one blank and trimEnd() removes the others: a pattern for several takes hours on a line of blanks.
  return quoted(value) ?? value.replace(/(?:^|\s)#.*$/, "").trimEnd();
}

/** Returns the text between the quotes of a value on one line. */
function quoted(value: string): string | undefined {
  return /^(["'])(.*?)\1(?:\s+#.*)?$/.exec(value)?.[2];
}
