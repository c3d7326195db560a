import { REDACTED, redactText } from "./secret.ts";

/** Parts of a name that mark its value as a secret. Tokenizers and key points are not secrets. */
const SECRET_PART =
  /token(?!i[sz])|secret|passw|passphrase|credential|authoriz|key(?!point|word|board|frame)/i;
/** Whole words of a name that mark a secret. Within longer words (`path`, `author`) they do not. */
const SECRET_WORDS = new Set(["auth", "pass", "pat", "pwd", "bearer", "cred", "creds", "cookie", "cookies"]);

/** A word as a shell reads it: quotes may contain spaces, and the last quote may be missing. */
const WORD = /(?:\\.|"(?:\\.|[^"\\])*(?:"|$)|'[^']*(?:'|$)|[^\s"'\\]|\\$)+/gs;
const QUOTED = /(?<quote>["'])(?<inner>(?:\\.|(?!\k<quote>)[^\\])*)(?<end>\k<quote>|$)/gs;

/**
 * `name=value` and `name: value`, also within quotes and brackets, but not the colon of a URL's scheme. A match starts
 * only at the beginning of a name: starting at each letter would take minutes for a word of 100,000.
 */
const ASSIGNMENT = /(?<![A-Za-z0-9_.-])(?<name>[A-Za-z0-9_.-]+)["'\])]*(?:=|:(?!\/\/))/g;
const WHOLE_ASSIGNMENT = /^-{0,2}(?<name>[\w.-]+)=/;
const REDACTED_ALREADY = /^\s*["']?\[redacted\](?=["'\s&;,}\])]|$)/;

/** The meaning of an argument for the arguments after it. */
type Announcement = "nothing" | "value" | "credentials" | "sign" | "rest";

/**
 * Returns command-line arguments with everything redacted that may be a secret, rather too much than too little. It
 * recognizes values by the names of options and variables (`--token x`, `HF_TOKEN=x`, `-p x`), headers, JSON, URL
 * credentials, tokens by their shape, and all of these within a script that is one argument.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { redactArguments } from "./redact_arguments.ts";
 * assert.deepEqual(redactArguments(["train", "--token", "abc"]), ["train", "--token", "[redacted]"]);
 * assert.deepEqual(redactArguments(["-c", "train --pat=abc --lr 1"]), ["-c", "train --pat=[redacted] --lr 1"]);
 * ```
 */
export function redactArguments(args: readonly string[]): string[] {
  let announced: Announcement = "nothing";
  return args.map((arg) => {
    const shown = isSecret(arg, announced) ? REDACTED : redactArgument(arg);
    announced = announce(arg, announced);
    return shown;
  });
}

/**
 * Scripts within scripts, such as `sh -c "ssh host 'sh -c …'"`. Real commands are less deep. The bound limits
 * recursion.
 */
const DEPTH_MAX = 16;

/**
 * An assignment may hold one value up to the end of the argument, with spaces. Otherwise the argument may be a script.
 */
function redactArgument(arg: string): string {
  const whole = WHOLE_ASSIGNMENT.exec(arg);
  if (whole?.groups !== undefined && isSecretName(whole.groups["name"])) return whole[0] + REDACTED;
  return redactScript(redactText(arg), 0);
}

function redactScript(script: string, depth: number): string {
  if (depth > DEPTH_MAX) return REDACTED;
  let announced: Announcement = "nothing";
  let shown = "";
  let end = 0;
  for (const { 0: word, index } of script.matchAll(WORD)) {
    shown += script.slice(end, index);
    end = index + word.length;
    if (announced === "rest") return shown + REDACTED;
    shown += isSecret(word, announced) ? REDACTED : redactWord(word, depth);
    announced = announce(word, announced);
  }
  return shown + script.slice(end);
}

function redactWord(word: string, depth: number): string {
  if (/^-p./.test(word)) return `-p${REDACTED}`;
  const unquoted = word.replace(
    QUOTED,
    (_, quote, inner, end) => quote + redactScript(inner, depth + 1) + end,
  );
  for (const match of unquoted.matchAll(ASSIGNMENT)) {
    const value = unquoted.slice(match.index + match[0].length);
    if (value === "" || REDACTED_ALREADY.test(value) || !isSecretName(match.groups?.["name"])) continue;
    return unquoted.slice(0, match.index) + match[0] + REDACTED;
  }
  return unquoted;
}

function isSecret(word: string, announced: Announcement): boolean {
  return announced === "value" || announced === "rest" ||
    (announced === "credentials" && word.includes(":")) || (announced === "sign" && /^[=:]./.test(word));
}

function announce(word: string, before: Announcement): Announcement {
  if (before === "sign" && /^[=:]$/.test(word)) return "value";
  if (/authoriz[a-z]{0,20}["']?[=:]/i.test(word)) return "rest";
  if (/(?:^-p|bearer)$/i.test(word)) return "value";
  if (/^(?:-u|-U|--user|--proxy-user)$/.test(word)) return "credentials";
  if (/\s/.test(word) || !isSecretName(word)) return "nothing";
  if (/^--?[\w.-]+$/.test(word)) return "value";
  if (word.endsWith("=")) return "value";
  if (word.endsWith(":")) return "rest";
  return /[\w"'\])]$/.test(word) ? "sign" : "nothing";
}

/** Returns whether a name marks its value as a secret. */
export function isSecretName(name = ""): boolean {
  return SECRET_PART.test(name) ||
    name.split(/[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])/).some((word) => SECRET_WORDS.has(word.toLowerCase()));
}
