import { REDACTED, redactText } from "./secret.ts";

/** Parts of a name that say that its value is a secret; tokenizers and key points are models' business. */
const SECRET_PART =
  /token(?!i[sz])|secret|passw|passphrase|credential|authoriz|key(?!point|word|board|frame)/i;
/** Whole words of a name that say so; within longer ones (`path`, `author`) they say nothing. */
const SECRET_WORDS = new Set(["auth", "pass", "pat", "pwd", "bearer", "cred", "creds", "cookie", "cookies"]);

/** A word as a shell would read it: quotes hold blanks, also where the last one is missing. */
const WORD = /(?:\\.|"(?:\\.|[^"\\])*(?:"|$)|'[^']*(?:'|$)|[^\s"'\\]|\\$)+/gs;
const QUOTED = /(?<quote>["'])(?<inner>(?:\\.|(?!\k<quote>)[^\\])*)(?<end>\k<quote>|$)/gs;

/**
 * `name=value` and `name: value`, also within quotes and brackets; the colon of a URL's scheme is none. Names are
 * whole: a search from each of their letters takes minutes for a word of 100,000.
 */
const ASSIGNMENT = /(?<![A-Za-z0-9_.-])(?<name>[A-Za-z0-9_.-]+)["'\])]*(?:=|:(?!\/\/))/g;
const WHOLE_ASSIGNMENT = /^-{0,2}(?<name>[\w.-]+)=/;
const REDACTED_ALREADY = /^\s*["']?\[redacted\](?=["'\s&;,}\])]|$)/;

/** What an argument says of those after it. */
type Announcement = "nothing" | "value" | "credentials" | "sign" | "rest";

/**
 * Command-line arguments to show: whatever may be a secret in them is blanked out, and rather too much than too
 * little. Known are values of options and variables by their names (`--token x`, `HF_TOKEN=x`, `-p x`), headers, JSON,
 * URL credentials, tokens by their shape, and all of that within a script that is one argument.
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

/** Scripts within scripts, as `sh -c "ssh host 'sh -c …'"`; no person writes deeper ones, and each costs a call. */
const DEPTH_MAX = 16;

/** Up to the end of an argument an assignment holds one value, blanks and all; otherwise it may be a script. */
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

/** Whether a name says that its value is a secret. */
export function isSecretName(name = ""): boolean {
  return SECRET_PART.test(name) ||
    name.split(/[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])/).some((word) => SECRET_WORDS.has(word.toLowerCase()));
}
