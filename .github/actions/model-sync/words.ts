import { UsageError } from "../../../lib/core/errors.ts";

/** A piece of a word: quoted in one of two ways, an escaped character, or plain text. */
const PIECE = /'([^']*)'|"((?:[^"\\]|\\[^])*)"|\\([^])|([^\s'"\\]+)/y;

/**
 * Returns the words of a text, separated by spaces and line ends. Quotes and backslashes work as in a shell. Variables,
 * patterns and commands stay text, so that no input can run anything.
 *
 * @throws {UsageError} code `WORDS_INVALID`: a quote is not closed
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { splitWords } from "./words.ts";
 * assert.deepEqual(splitWords(`--commit-message 'daily $(id)'\n--dry-run`), ["--commit-message", "daily $(id)", "--dry-run"]);
 * ```
 */
export function splitWords(text: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  for (let at = 0; at < text.length;) {
    PIECE.lastIndex = at;
    const match = PIECE.exec(text);
    if (match !== null) {
      const [piece, single, double, escaped, plain] = match;
      word = (word ?? "") + (single ?? double?.replace(/\\([\\"$`])/g, "$1") ?? escaped ?? plain ?? "");
      at += piece.length;
    } else if (/\s/.test(text[at] ?? "")) {
      if (word !== undefined) words.push(word);
      word = undefined;
      at++;
    } else {
      throw new UsageError(`Cannot read the input args: ${unclosed(text[at])}`, {
        code: "WORDS_INVALID",
        hint: "put a value with spaces between two quotes: --commit-message 'daily refresh'",
      });
    }
  }
  return word === undefined ? words : [...words, word];
}

function unclosed(char: string | undefined): string {
  return char === "\\" ? "it ends with a backslash" : `a quote (${char}) is not closed`;
}
