import { FailedError } from "../core/errors.ts";
import { readGitWords } from "./git_words.ts";

/** Error code: a hook or a rule of the remote refuses a push. */
export const PUSH_DECLINED = "PUSH_DECLINED";

/** Error code: the remote has a branch `a`, and `a/b` is pushed, or vice versa. */
export const BRANCH_NAME_TAKEN = "BRANCH_NAME_TAKEN";

/** `a` and `a/b` cannot both be branches. The second message is GitHub's. */
const NAME_TAKEN = /'refs\/heads\/[^']*' exists; cannot create|directory file conflict/;

/** A remote that declines a push because its branch has moved, before the push or during it. */
const RACE =
  /^ ?!.*\[(?:rejected|remote rejected)\].*(?:fetch first|non-fast-forward|cannot lock ref|failed to update ref|stale info)/m;

/** A remote states its reason in the first lines; a hook that lists its checks states it in the last ones. */
const FIRST_LINES_MAX = 4;
const LAST_LINES_MAX = 3;

/**
 * Returns whether another push came first.
 *
 * @param report git's lines about the pushed branches, with or without `--porcelain`
 */
export function isPushRace(report: string): boolean {
  return RACE.test(report) && !NAME_TAKEN.test(report);
}

/** Returns the error for a push that the remote rejects. Only the remote's own lines give the reason. */
export function declinedPush(action: string, stderr: string): FailedError {
  const said = readGitWords(stderr);
  const words = said.text.split("\n").filter((line) => line.startsWith("remote:"))
    .map((line) => line.slice("remote:".length).trim()).filter((line) => line !== "");
  const reason = words.length > 0
    ? firstAndLast(words).join("; ")
    : /\[remote rejected\][^\n]*\(([^()\n]+)\)/.exec(stderr)?.[1] ?? said.reason;
  if (NAME_TAKEN.test(stderr)) {
    return new FailedError(
      `Cannot ${action}: the name collides with another branch of the remote: ${reason}`,
      {
        code: BRANCH_NAME_TAKEN,
        hint: "use another branch name, or delete the other branch",
      },
    );
  }
  return new FailedError(`Cannot ${action}: the remote rejects it: ${reason}`, {
    code: PUSH_DECLINED,
    hint: "fix the reported problem and publish again; nothing was published",
  });
}

function firstAndLast(lines: readonly string[]): readonly string[] {
  if (lines.length <= FIRST_LINES_MAX + LAST_LINES_MAX) return lines;
  return [...lines.slice(0, FIRST_LINES_MAX), "…", ...lines.slice(-LAST_LINES_MAX)];
}
