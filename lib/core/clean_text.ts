import { BREAK, UNSEEN } from "./control_characters.ts";
import { hideSecrets } from "./known_secrets.ts";
import { redact, type Secret } from "./secret.ts";

/** The longest message: two paths of Linux's longest, or a screen of text. */
export const LINE_CHARS_MAX = 4_000;

/** What is looked at of a text: enough for the longest line, whatever escape sequences are in it. */
const INPUT_CHARS_MAX = 16 * 1024;

/** Longer tokens than this do not stand at the end of what is looked at. */
const TOKEN_CHARS_MAX = 4 * 1024;

/** How a text is cleaned. */
export interface Cleaning {
  /** The longest result, in UTF-16 units; {@link LINE_CHARS_MAX} where nothing is said. */
  readonly charsMax?: number;
  /** Blanked out besides the secrets of this process. */
  readonly secrets?: readonly Secret[];
}

/**
 * One line of text from outside, fit to be kept and to be printed: secrets are blanked out, escape sequences and
 * invisible characters removed, line ends replaced by blanks, and only then what is too long cut off. Cleaning a
 * clean line changes nothing.
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
  let line = bounded(text.toWellFormed(), secrets).replace(UNSEEN, "");
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const before = line;
    line = redact(line, secrets).replace(BREAK, " ").trim();
    if (line === before) break;
  }
  return shorten(line, charsMax);
}

/** One redaction may uncover another, as in a URL within a JSON field. Real texts need two rounds. */
const ROUNDS_MAX = 8;

/** Cleans each line of a text of several, as a stack trace is. */
export function cleanLines(text: string): string {
  const whole = redact(text.toWellFormed().replace(UNSEEN, ""), []);
  return whole.split(/\r?\n/).map((line) => shorten(line.replace(BREAK, " "), LINE_CHARS_MAX)).join("\n");
}

/** Known secrets go first, while they are whole; a token at the cut, which only its shape gives away, goes with it. */
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
