/**
 * The line that the credential helper prints when a server rejects the credentials. git-lfs before 3.4 requests the
 * same credentials again without end.
 */
export const REFUSED_LOGIN = "model-sync: the server refuses the credentials";

/** Lines in which git, git-lfs or a server states an error. GitHub writes `ERROR:` over SSH. */
const TELLING = /^(?:fatal|error|remote|batch response|LFS)\b|!\s+\[/i;

/** Git's closing lines, printed after the reason. */
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

/** Progress, advice, traces, and messages that ssh prints for every connection. */
const NOISE = [
  "hint:",
  "(?:remote: +)?(?:Enumerating|Counting|Compressing|Receiving|Resolving|Writing|Unpacking|Filtering) ",
  "(?:remote: +)?Total \\d+ \\(",
  "Warning: Permanently added ",
  "\\*\\* ",
  "@",
  // GitLab puts frames around its messages.
  "(?:remote:)? *[=-]*$",
  "\\[signal SIG",
  "(?:Downloading|Uploading) .*\\(.*\\)",
  "Errors logged to ",
  "Use `git lfs logs last`",
  "[\\d:.]+ .*\\btrace\\b",
  REFUSED_LOGIN,
];
const NO_REASON = new RegExp(`^(?:${NOISE.join("|")})`);

/** The stack trace of a crashed git-lfs, printed after the reason. */
const GO_STACK = /^goroutine \d+ \[.*(?:\n(?!fatal: |error: |warning: |\d\d:\d\d:).*)*/gm;

/** For a `git://` address, git prints the reason on the next line. */
const ADDRESSES = /^(fatal: unable to connect to .*:)\n/gm;

/** The number of lines that a reason keeps. */
const LINES_MAX = 3;

/** The output of a failed git, sorted by use. */
export interface GitWords {
  /** The reason, without prefixes, on one line. */
  readonly reason: string;
  /** All lines that may contain the reason. */
  readonly text: string;
  /** Whether git, git-lfs or the server states the reason. Output of other programs may be a warning. */
  readonly isNamed: boolean;
}

/**
 * Returns the lines with git's reason for a failure, or else those of ssh, a hook or another program that git ran.
 * Git's closing lines ("Could not read from remote repository") are used only if there are no others.
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
    reason: reason || "git printed no reason",
    text: (said ?? []).join("\n"),
    isNamed: (named ?? []).length > 0,
  };
}

const UNIT_BYTES: Readonly<Record<string, number>> = { bytes: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

/**
 * Returns how many bytes git reports as received or sent so far; `undefined` for other output.
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
