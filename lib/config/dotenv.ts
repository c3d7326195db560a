/** A variable that a line sets, or begins to set. */
const ASSIGNMENT = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=(.*)$/;

/**
 * Reads the text of a `.env` file: `KEY=VALUE` lines, `#` comments, also after a value without quotes, one pair of
 * surrounding quotes taken off, an `export` before the key allowed. A value in quotes may go over several lines, as a
 * PEM does. Nothing is interpolated.
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

/** A value that ends on a later line, and that line's index. */
interface QuotedBlock {
  readonly value: string;
  readonly end: number;
}

/**
 * Reads a value whose closing quote is at the end of a later line. A line on the way that sets a variable in quotes
 * ends the search: then the first quote was part of a value, or its closing one was forgotten.
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

/** Where the quote is that ends the line, but for blanks and a comment. */
function closingQuote(line: string, quote: string): number | undefined {
  const close = line.lastIndexOf(quote);
  if (close === -1) return undefined;
  if (line.slice(close + 1).trim() === "") return close;
  const first = line.indexOf(quote);
  return /^\s+#/.test(line.slice(first + 1)) ? first : undefined;
}

function unquote(value: string): string {
  // One blank, and the others trimmed: a pattern for a run of them takes hours for a line that is full of them.
  return quoted(value) ?? value.replace(/(?:^|\s)#.*$/, "").trimEnd();
}

/** Returns the text between the quotes of a value of one line. */
function quoted(value: string): string | undefined {
  return /^(["'])(.*?)\1(?:\s+#.*)?$/.exec(value)?.[2];
}
