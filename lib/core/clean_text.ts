import { BREAK, UNSEEN } from "./control_characters.ts";
import { hideSecrets } from "./known_secrets.ts";
import { redact, type Secret } from "./secret.ts";

/** The longest message: two paths of Linux's maximum length, or one screen of text. */
export const LINE_CHARS_MAX = 4_000;

/** Only the beginning of a text is processed: enough for the longest line with any escape sequences in it. */
const INPUT_CHARS_MAX = 16 * 1024;

/** No token is longer. Used where the end of the processed part may cut one. */
const TOKEN_CHARS_MAX = 4 * 1024;

/** Options of {@link cleanLine}. */
export interface Cleaning {
  /** The longest result, in UTF-16 units. Default: {@link LINE_CHARS_MAX}. */
  readonly charsMax?: number;
  /** Redacted in addition to the secrets of this process. */
  readonly secrets?: readonly Secret[];
}

/**
 * Returns text from outside as one line that is safe to store and to print. Secrets are redacted first, then escape
 * sequences and invisible characters are removed, line ends become spaces, and the text is cut to length last. Cleaning
 * is idempotent.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { cleanLine } from "./clean_text.ts";
 * assert.equal(cleanLine("\u001b[31mfatal:\u001b[0m https://me:pw@host/x\n"), "fatal: https://[redacted]@host/x");
 * assert.equal(cleanLine("a long story", { charsMax: 7 }), "a long…");
 * ```
 */
export function cleanLine(text: string, { charsMax = LINE_CHARS_MAX, secrets = [] }: Cleaning = {}): string {
  const whole = bounded(text.toWellFormed(), secrets);
  if (PLAIN.test(whole)) return shorten(whole, charsMax);
  let line = whole.replace(UNSEEN, "");
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const before = line;
    line = redact(line, secrets).replace(BREAK, " ").trim();
    if (line === before) break;
  }
  return shorten(line, charsMax);
}

/**
 * Short words, and texts of hexadecimal digits and of times: names of commands, digests, ids of runs. No rule changes them,
 * as every rule needs other characters or more of them. Most texts of records are of this kind, and compiling and trying
 * all rules is a tenth of the start of a command.
 */
const PLAIN = /^(?:[a-z-]{0,14}|[\da-fTZ.:+-]*)$/;

/**
 * One redaction may uncover another, as in a URL within a JSON field. Real texts need two rounds; the bound ends
 * hostile ones.
 */
const ROUNDS_MAX = 8;

/** Returns a text of several lines, such as a stack trace, with each line cleaned. */
export function cleanLines(text: string): string {
  const whole = redact(text.toWellFormed().replace(UNSEEN, ""), []);
  return whole.split(/\r?\n/).map((line) => shorten(line.replace(BREAK, " "), LINE_CHARS_MAX)).join("\n");
}

/**
 * Redacts known secrets while they are complete. A token at the cut can only be recognized by its shape, so it is
 * removed.
 */
function bounded(text: string, secrets: readonly Secret[]): string {
  const hidden = hideSecrets(text, secrets.map((secret) => secret.reveal()));
  if (hidden.length <= INPUT_CHARS_MAX) return hidden;
  const cut = hidden.slice(0, INPUT_CHARS_MAX);
  const lastWord = /\s\S*$/.exec(cut.slice(-TOKEN_CHARS_MAX));
  return cut.slice(0, lastWord === null ? -TOKEN_CHARS_MAX : cut.length - lastWord[0].length).toWellFormed();
}

function shorten(text: string, charsMax: number): string {
  if (text.length <= charsMax) return text;
  // Half of a surrogate pair would be written as a replacement character.
  return `${text.slice(0, charsMax - 1).replace(/[\ud800-\udbff]$/, "").trimEnd()}…`;
}
