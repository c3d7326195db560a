/**
 * The line that the credential helper prints when a server refuses the credentials. git-lfs before 3.4 requests them
 * again without end, and gets the same ones.
 */
export const REFUSED_LOGIN = "model-sync: the server refuses the credentials";

/** Lines by which git, git-lfs or a server names what is wrong. GitHub writes `ERROR:` over SSH. */
const TELLING = /^(?:fatal|error|remote|batch response|LFS)\b|!\s+\[/i;

/** What git says last, after the program that it ran or the other side has said why. */
const CONSEQUENCES = [
  "Could not read from remote repository",
  "Please make sure you have the correct access rights",
  "and the repository exists\\.",
  "the remote end hung up",
  "early EOF",
  "(?:fetch-pack: )?(?:index-pack failed|invalid index-pack output)",
  "unable to fork$",
  "failed to push some refs",
  "ref updates aborted by hook",
];
const CONSEQUENCE = new RegExp(`^(?:(?:fatal|error): )?(?:${CONSEQUENCES.join("|")})`, "i");

/** Progress, advice, traces, and what ssh says of every connection. */
const NOISE = [
  "hint:",
  "(?:remote: +)?(?:Enumerating|Counting|Compressing|Receiving|Resolving|Writing|Unpacking|Filtering) ",
  "(?:remote: +)?Total \\d+ \\(",
  "Warning: Permanently added ",
  "\\*\\* ",
  "@",
  // GitLab frames its messages.
  "(?:remote:)? *[=-]*$",
  "\\[signal SIG",
  "(?:Downloading|Uploading) .*\\(.*\\)",
  "Errors logged to ",
  "Use `git lfs logs last`",
  "[\\d:.]+ .*\\btrace\\b",
  REFUSED_LOGIN,
];
const NO_REASON = new RegExp(`^(?:${NOISE.join("|")})`);

/** The calls that a git-lfs lists when it crashes, after it has said why. */
const GO_STACK = /^goroutine \d+ \[.*(?:\n(?!fatal: |error: |warning: |\d\d:\d\d:).*)*/gm;

/** Git names in the next line why it cannot connect to a `git://` address. */
const ADDRESSES = /^(fatal: unable to connect to .*:)\n/gm;

/** A reason that takes more lines than this is a story. */
const LINES_MAX = 3;

/** The output of a git that failed, sorted by use. */
export interface GitWords {
  /** The lines that say why, without their prefixes, in one line. */
  readonly reason: string;
  /** All lines that may say why, one below the other. */
  readonly text: string;
  /** Whether git, git-lfs or the server names the reason: what others printed may be a warning. */
  readonly isNamed: boolean;
}

/**
 * Returns the lines that say why a git failed: git's own, or else those of ssh, of a hook or of another program that git
 * ran. Of git's closing lines ("Could not read from remote repository") only where nothing else was said.
 */
export function readGitWords(stderr: string): GitWords {
  const lines = stderr.replace(GO_STACK, "").replace(ADDRESSES, "$1 ").split(/[\r\n]+/).map((line) =>
    line.trim()
  )
    .filter((line) => line !== "" && !NO_REASON.test(line));
  const telling = lines.filter((line) => TELLING.test(line));
  const [named, said] = [telling, lines].map((some) => some.filter((line) => !CONSEQUENCE.test(line)));
  const spoken = said?.filter((line) => !line.startsWith("warning: "));
  const chosen = [named, spoken, telling, lines].find((some) => some !== undefined && some.length > 0) ?? [];
  const reason = [...new Set(chosen)].slice(-LINES_MAX)
    .map((line) => line.replace(/^(?:fatal|error): /i, "")).join("; ");
  return {
    reason: reason || "git gave no reason",
    text: (said ?? []).join("\n"),
    isNamed: (named ?? []).length > 0,
  };
}

const UNIT_BYTES: Readonly<Record<string, number>> = { bytes: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

/**
 * Returns how many bytes git says that it received, or sent, so far; `undefined` where a text does not say that.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { parseMoved } from "./git_words.ts";
 * assert.equal(parseMoved("Receiving objects:  40% (2/5), 12.50 MiB | 3.00 MiB/s\r"), 12.5 * 1024 ** 2);
 * assert.equal(parseMoved("Writing objects: 100% (3/3), 512 bytes | 512 KiB/s, done.\n"), 512);
 * assert.equal(parseMoved("fatal: early EOF\n"), undefined);
 * ```
 */
export function parseMoved(text: string): number | undefined {
  const [, amount, unit] =
    /(?:Receiving|Writing) objects:.*, ([\d.]+) (bytes|KiB|MiB|GiB)[^\r\n]*$/.exec(text.trimEnd()) ?? [];
  if (amount === undefined || unit === undefined) return undefined;
  return Math.round(Number(amount) * (UNIT_BYTES[unit] ?? 1));
}
