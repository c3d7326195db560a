import type { Context } from "../core/context.ts";
import {
  commitMessage,
  pullRequestBody,
  pullRequestTitle,
  topicOf,
  totalChanges,
} from "./describe_changes.ts";
import type { GitHubClient } from "../github/github_client.ts";
import { contentDigest } from "./content_digest.ts";
import { filesOf } from "./plan.ts";
import type { Proposal, ProposalOptions, RepositoryPlans } from "./proposal.ts";
import { belowThreshold } from "./propose.ts";
import { closeOlder } from "./pull_requests/close_older.ts";
import { dress } from "./pull_requests/dress.ts";
import { PullRequests } from "./pull_requests/pull_requests.ts";
import { shrinkNote } from "./shrink.ts";

/**
 * Proposes changes as the original tool does: on a new branch named by the time, with a new pull request. Older pull
 * requests for the same categories are closed.
 */
export async function proposeTimestamped(
  context: Context,
  client: GitHubClient,
  looked: RepositoryPlans,
  options: ProposalOptions,
): Promise<Proposal> {
  const { repository } = looked;
  const plans = looked.plans.filter(({ changes }) => changes.length > 0);
  const changes = totalChanges(plans);
  if (changes === 0) return { outcome: "unchanged", pullRequest: undefined, changes };
  if (changes < options.changesMin) return belowThreshold(context, repository, changes, options);
  const topic = topicOf(plans);
  const branch = `sync/${topic}/${localStamp(context.clock.now())}`;
  const tree = await repository.treeWith(repository.base, filesOf(plans));
  const commit = await repository.commit(tree, repository.base, `${commitMessage(plans)}\n`);
  await repository.push(branch, commit, undefined);
  const { owner, name, branch: base } = repository.address;
  const route = { owner, name, base, head: branch };
  await closeOlder(context, client, route, topic === "multi-category" ? undefined : topic);
  const closing = [
    "*This PR was automatically generated. The next sync closes it and opens another.*",
    "",
    "Please review the changes before merging.",
  ];
  const { pullRequest } = await new PullRequests(context, client, route).create({
    title: pullRequestTitle(plans, context.clock.now()) + shrinkNote(plans, options.maxShrink),
    body: pullRequestBody(plans, options.primaryUrl, closing),
    content: contentDigest(plans, options.format),
    // The next run creates a new pull request and closes this one.
    pending: [],
  });
  const { warnings } = await dress(context, client, repository.address, pullRequest, options);
  for (const warning of warnings) context.log.warn(warning);
  return { outcome: "created", pullRequest, changes };
}

/** Returns `20261121-063000`, in the machine's time zone, as in the original's branch names. */
function localStamp(now: Date): string {
  const two = (value: number) => String(value).padStart(2, "0");
  const date = `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`;
  return `${date}-${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`;
}
