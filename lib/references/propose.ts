import type { Context } from "../core/context.ts";
import { plural } from "../core/format.ts";
import type { GitHubClient } from "../github/github_client.ts";
import { CATEGORIES } from "../config/sections/references.ts";
import { placeOf } from "./categories.ts";
import { carriedPlans } from "./carried_plans.ts";
import { contentDigest } from "./content_digest.ts";
import { codeSpan, pullRequestBody, pullRequestTitle, totalChanges } from "./describe_changes.ts";
import { describeBranch } from "./describe_branch.ts";
import { NO_WORK, readBranch, workOfPeople } from "./git/proposed_branch.ts";
import { fullName } from "./git/repository_address.ts";
import type { TargetRepository } from "./git/target_repository.ts";
import type { CategoryPlan } from "./plan.ts";
import type { Proposal, ProposalOptions, RepositoryPlans } from "./proposal.ts";
import { closeReplaced } from "./pull_requests/close_older.ts";
import { decide } from "./pull_requests/decide.ts";
import { type Dress, dress, wantedParts } from "./pull_requests/dress.ts";
import type { DressPart } from "./pull_requests/marker.ts";
import { orWarn } from "./pull_requests/or_warn.ts";
import { type PullRequest, PullRequests } from "./pull_requests/pull_requests.ts";
import { pushProposal, type Wanted } from "./push_proposal.ts";
import { shrinkNote } from "./shrink.ts";
import { hasBackendPrefix } from "./text_generation/text_names.ts";

/**
 * Brings the one pull request of a repository to what PRIMARY says: opens it, updates it in place, closes it when
 * nothing is left to do, or leaves it alone. Commits of other people on its branch stay, and models that they edited
 * stay as they left them. Categories that the pull request has, and that were not looked at this time, stay in it.
 *
 * @throws {UsageError} code `BRANCH_TAKEN` when the branch is somebody else's
 */
export async function propose(
  context: Context,
  client: GitHubClient,
  looked: RepositoryPlans,
  options: ProposalOptions,
): Promise<Proposal> {
  const { repository } = looked;
  const { owner, name, branch: base } = repository.address;
  const pulls = new PullRequests(context, client, { owner, name, base, head: options.branch });
  const state = await readBranch(repository, options.branch);
  const existing = await pulls.find();
  const open = existing.find(({ isOpen }) => isOpen);
  const carried = open !== undefined && "last" in state
    ? await carriedPlans(repository, state.last, looked.plans.map(({ category }) => category), options.format)
    : [];
  const plans = inOrder([...looked.plans, ...carried].filter(({ changes }) => changes.length > 0));
  const changes = totalChanges(plans);
  // What is open is kept up to date: somebody could merge what PRIMARY no longer says.
  if (open === undefined && changes > 0 && changes < options.changesMin) {
    return belowThreshold(context, repository, changes, options);
  }
  const content = contentDigest(plans, options.format);
  const decision = decide(existing, changes === 0 ? undefined : content);
  const isOpen = open !== undefined;
  const work = state.kind === "shared" && isOpen
    ? await workOfPeople(repository, state, plans.map(({ category }) => category))
    : NO_WORK;
  context.log.debug(describeBranch(options.branch, repository, state, open));
  const proposal: Wanted = { ...looked, plans, content, state, isOpen, work };
  switch (decision.kind) {
    case "none":
      return { outcome: "unchanged", pullRequest: undefined, changes };
    case "declined":
      context.log.warn(
        `${decision.pullRequest.url} proposed just this and was closed: not proposed again; reopen it if you want it`,
      );
      return { outcome: "declined", pullRequest: decision.pullRequest, changes };
    case "close":
      return await closeVanished(context, pulls, proposal, decision.pullRequest, options);
    default: {
      const settled = decision.kind === "unchanged"
        ? await refresh(context, proposal, decision.pullRequest, options)
        : await write(
          context,
          pulls,
          proposal,
          decision.kind === "update" ? decision.pullRequest : undefined,
          options,
        );
      const { pullRequest } = settled;
      const pending = await finishDress(context, client, pulls, repository, pullRequest, options);
      const covered = [...looked.plans, ...carried].flatMap(({ category }) => placeOf(category).paths);
      await closeReplaced(context, client, pulls.route, pullRequest, new Set(covered));
      return { ...settled, ...(pending.length === 0 ? {} : { pending }) };
    }
  }
}

/** The outcome of a sync that leaves a pull request open. */
type Settled = Proposal & { readonly pullRequest: PullRequest };

/** Opens a pull request, or gives the open one its new content. */
async function write(
  context: Context,
  pulls: PullRequests,
  proposal: Wanted,
  open: PullRequest | undefined,
  options: ProposalOptions,
): Promise<Settled> {
  const { plans, content } = proposal;
  await pushProposal(context, proposal, options);
  const text = { ...pullRequestText(context, proposal, options), content };
  const { pullRequest, outcome } = open === undefined
    ? await pulls.create({ ...text, pending: wantedParts(options) })
    : { pullRequest: await pulls.update(open, text), outcome: "updated" as const };
  return { outcome, pullRequest, changes: totalChanges(plans), ...keptBy(proposal) };
}

function keptBy({ work }: Wanted): Pick<Proposal, "kept"> {
  const models = [...work.edited.values()].flatMap((names) => {
    // A text model has a key for each backend as well, which comes with its own.
    const own = [...names].filter((name) => !hasBackendPrefix(name));
    return own.length === 0 ? [...names] : own;
  });
  return work.commits === 0 ? {} : { kept: { commits: work.commits, models } };
}

/** So few changes that nothing is proposed yet. */
export function belowThreshold(
  { log }: Context,
  { address }: TargetRepository,
  changes: number,
  { changesMin }: ProposalOptions,
): Proposal {
  log.info(`${plural(changes, "change")} for ${fullName(address)}: below the threshold of ${changesMin}`);
  return { outcome: "below-threshold", pullRequest: undefined, changes };
}

/** The same content has the same digest, whichever of it was looked at this time. */
function inOrder(plans: readonly CategoryPlan[]): CategoryPlan[] {
  return plans.toSorted((a, b) => CATEGORIES.indexOf(a.category) - CATEGORIES.indexOf(b.category));
}

/**
 * Gives an open pull request what it has not got yet, as a killed run leaves it; what does not work is a warning.
 *
 * @returns what is left to the next sync
 */
async function finishDress(
  context: Context,
  client: GitHubClient,
  pulls: PullRequests,
  { address }: TargetRepository,
  pullRequest: PullRequest,
  wanted: Dress,
): Promise<readonly DressPart[]> {
  const parts = pullRequest.marker.pending;
  if (parts.length === 0) return [];
  const { warnings, pending } = await dress(context, client, address, pullRequest, wanted, parts);
  for (const warning of warnings) context.log.warn(warning);
  if (pending.length > 0) {
    context.log.warn(`the next sync sets what ${pullRequest.url} lacks: ${pending.join(", ")}`);
  }
  if (pending.length === parts.length) return pending;
  await orWarn(
    context,
    `The next sync sets the labels and reviewers of ${pullRequest.url} again`,
    async () => {
      await pulls.note(pullRequest, pending);
    },
  );
  return pending;
}

/** Closes a pull request that has nothing left to say; where people have commits in it, only ours are taken back. */
async function closeVanished(
  context: Context,
  pulls: PullRequests,
  proposal: Wanted,
  pullRequest: PullRequest,
  options: ProposalOptions,
): Promise<Proposal> {
  const { state, content } = proposal;
  if (state.kind === "shared") {
    context.log.warn(`${pullRequest.url} has nothing of PRIMARY's left, but commits of others: left open`);
    await pushProposal(context, proposal, options);
    const kept = keptBy(proposal);
    if (pullRequest.marker.content === content) {
      return { outcome: "unchanged", pullRequest, changes: 0, ...kept };
    }
    await pulls.update(pullRequest, { ...pullRequestText(context, proposal, options), content });
    return { outcome: "updated", pullRequest, changes: 0, ...kept };
  }
  await pulls.close(
    pullRequest,
    "This pull request is closed because nothing is left to sync: the references and the PRIMARY instance agree.",
  );
  return { outcome: "closed", pullRequest, changes: 0 };
}

/** Nothing new to say; but when the base branch changed the same files, the proposal is made anew on top of that. */
async function refresh(
  context: Context,
  proposal: Wanted,
  pullRequest: PullRequest,
  options: ProposalOptions,
): Promise<Settled> {
  const { repository, plans, state } = proposal;
  const changes = totalChanges(plans);
  const unchanged: Settled = { outcome: "unchanged", pullRequest, changes, ...keptBy(proposal) };
  if (state.kind !== "ours") return unchanged;
  const paths = plans.flatMap(({ category }) => placeOf(category).paths);
  const [then, now] = [
    await repository.contentIds(state.last.base, paths),
    await repository.contentIds(repository.base, paths),
  ];
  if (then === now) return unchanged;
  await pushProposal(context, proposal, options);
  return { outcome: "updated", pullRequest, changes };
}

/** Title and body, without the marker. */
function pullRequestText(
  context: Context,
  proposal: Wanted,
  { primaryUrl, maxShrink }: ProposalOptions,
): { readonly title: string; readonly body: string } {
  const { plans } = proposal;
  const edited = keptBy(proposal).kept?.models ?? [];
  const closing = [
    "*This PR was automatically generated. As long as it is open, it is kept up to date.*",
    "",
    "Please review the changes before merging. Commits of yours on this branch are kept.",
    ...(edited.length === 0
      ? []
      : ["", `Left as edited here: ${edited.slice(0, EDITED_SHOWN_MAX).map(codeSpan).join(", ")}`]),
  ];
  return {
    title: pullRequestTitle(plans, context.clock.now()) + shrinkNote(plans, maxShrink),
    body: pullRequestBody(plans, primaryUrl, closing),
  };
}

/** People edit a few models by hand; more are told by the diff. */
const EDITED_SHOWN_MAX = 20;
