import { plural } from "../core/format.ts";
import type { BranchState } from "./git/proposed_branch.ts";
import { fullName } from "./git/repository_address.ts";
import type { TargetRepository } from "./git/target_repository.ts";
import type { PullRequest } from "./pull_requests/pull_requests.ts";

/** As much of a commit's name as git shows. */
const ID_CHARS = 7;

/** A line about the branch of proposals and its pull request, for the log. */
export function describeBranch(
  branch: string,
  { address, base }: Pick<TargetRepository, "address" | "base">,
  state: BranchState,
  open: PullRequest | undefined,
): string {
  const where = `${fullName(address)}: ${address.branch} is at ${base.slice(0, ID_CHARS)}`;
  return `${where}, ${branch} ${stateOf(state)}, ${open === undefined ? "no open pull request" : open.url}`;
}

function stateOf(state: BranchState): string {
  if (state.kind === "absent") return "does not exist";
  const at = `is at ${state.head.slice(0, ID_CHARS)}`;
  switch (state.kind) {
    case "empty":
      return `${at} without commits of its own`;
    case "ours":
      return `${at} with a commit of model-sync`;
    case "shared":
      return `${at} with ${plural(state.commits.length, "commit")}, also of people`;
    case "foreign":
      return `${at} without a commit of model-sync`;
  }
}
