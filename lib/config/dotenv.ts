/**
 * Reads the text of a `.env` file: `KEY=VALUE` lines, `#` comments, also after a value without quotes, one pair of
 * surrounding quotes taken off, an `export` before the key allowed. Nothing is interpolated.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { parseDotenv } from "./dotenv.ts";
 * assert.deepEqual(parseDotenv('# key\nRUNPOD_API_KEY="rp_1"\nexport A=b=c\n'), new Map([["RUNPOD_API_KEY", "rp_1"], ["A", "b=c"]]));
 * ```
 */
export function parseDotenv(text: string): Map<string, string> {
  const variables = new Map<string, string>();
  for (const line of text.split(/\r?\n/)) {
    const [, name, value] = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=(.*)$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) variables.set(name, unquote(value.trim()));
  }
  return variables;
}

function unquote(value: string): string {
  const [, , quoted] = /^(["'])(.*?)\1(?:\s+#.*)?$/.exec(value) ?? [];
  // One blank, and the others trimmed: a pattern for a run of them takes hours for a line that is full of them.
  return quoted ?? value.replace(/(?:^|\s)#.*$/, "").trimEnd();
}
