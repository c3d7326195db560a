import type { PullRequest } from "./pull_requests.ts";

/** What is to be done about the pull request of a branch. */
export type Decision =
  | { readonly kind: "create" | "none" }
  | { readonly kind: "update" | "unchanged" | "declined" | "close"; readonly pullRequest: PullRequest };

/**
 * Decides from the pull requests that a branch has and had, newest first, what is to become of what we propose.
 *
 * - Something else than what is open proposes: `update`; of several the newest counts. The same: `unchanged`.
 * - A human closed what proposed the same, and nothing newer did: `declined`. What we closed, or is merged, is not.
 * - Nothing to propose any more: `close`, or `none`.
 *
 * @param content the digest of what is proposed; `undefined` for nothing
 */
export function decide(existing: readonly PullRequest[], content: string | undefined): Decision {
  const open = existing.find(({ isOpen }) => isOpen);
  if (open !== undefined) {
    if (content === undefined) return { kind: "close", pullRequest: open };
    // A human who opens again what we closed takes our word for it away: it is written anew.
    const isSame = open.marker.content === content && !open.marker.isClosedByUs;
    return { kind: isSame ? "unchanged" : "update", pullRequest: open };
  }
  if (content === undefined) return { kind: "none" };
  const same = existing.find(({ marker }) => marker.content === content);
  const isDeclined = same !== undefined && !same.isMerged && !same.marker.isClosedByUs;
  return isDeclined ? { kind: "declined", pullRequest: same } : { kind: "create" };
}
