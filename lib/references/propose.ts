import type { Context } from "../core/context.ts";
import { plural } from "../core/format.ts";
import type { GitHubClient } from "../github/github_client.ts";
import { CATEGORIES } from "../config/sections/references.ts";
import { placeOf } from "./categories.ts";
import { carriedPlans } from "./carried_plans.ts";
import { contentDigest } from "./content_digest.ts";
import { codeSpan, pullRequestBody, pullRequestTitle, totalChanges } from "./describe_changes.ts";
import { describeBranch, NO_WORK, readBranch, workOfPeople } from "./git/proposed_branch.ts";
import { fullName } from "./git/repository_address.ts";
import type { TargetRepository } from "./git/target_repository.ts";
import type { CategoryPlan } from "./plan.ts";
import type { Proposal, ProposalOptions, RepositoryPlans } from "./proposal.ts";
import { closeReplaced } from "./pull_requests/close_older.ts";
import { type Dress, dress, wantedParts } from "./pull_requests/dress.ts";
import type { DressPart } from "./pull_requests/marker.ts";
import { orWarn, type PullRequest, PullRequests } from "./pull_requests/pull_requests.ts";
import { pushProposal, type Wanted } from "./push_proposal.ts";
import { shrinkNote } from "./shrink.ts";
import { hasBackendPrefix } from "./text_generation/cells.ts";

/**
 * Brings the single pull request of a repository in line with PRIMARY: opens, updates or closes it, or leaves it
 * unchanged. Commits of people on its branch stay, and so do models that they edited. Categories of the pull request
 * that this run did not compare stay in it.
 *
 * @throws {UsageError} code `BRANCH_TAKEN` when the branch has no commits of ours
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
  // An open pull request is always updated: otherwise it could be merged with outdated changes.
  if (open === undefined && changes > 0 && changes < options.changesMin) {
    return belowThreshold(context, repository, changes, options);
  }
  const content = contentDigest(plans, options.format);
  const decision = decide(existing, changes === 0 ? undefined : content);
  const isOpen = open !== undefined;
  const work = state.kind === "shared" && isOpen
    ? await workOfPeople(repository, state, plans.map(({ category }) => category))
    : NO_WORK;
  context.log.debug(describeBranch(options.branch, repository, state, open?.url));
  const proposal: Wanted = { ...looked, plans, content, state, isOpen, work };
  switch (decision.kind) {
    case "none":
      return { outcome: "unchanged", pullRequest: undefined, changes };
    case "declined":
      context.log.warn(
        `${decision.pullRequest.url} proposed the same changes and was closed by a person: not proposing them again. To propose them, reopen it`,
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

/** Opens a pull request, or updates the open one. */
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
    // A text model also has a key for each backend, which changes with it.
    const own = [...names].filter((name) => !hasBackendPrefix(name));
    return own.length === 0 ? [...names] : own;
  });
  return work.commits === 0 ? {} : { kept: { commits: work.commits, models } };
}

/** Returns the outcome for too few changes. */
export function belowThreshold(
  { log }: Context,
  { address }: TargetRepository,
  changes: number,
  { changesMin }: ProposalOptions,
): Proposal {
  log.info(`${plural(changes, "change")} for ${fullName(address)}: below the threshold of ${changesMin}`);
  return { outcome: "below-threshold", pullRequest: undefined, changes };
}

/** Sorts plans, so that the same content has the same digest whichever categories were compared. */
function inOrder(plans: readonly CategoryPlan[]): CategoryPlan[] {
  return plans.toSorted((a, b) => CATEGORIES.indexOf(a.category) - CATEGORIES.indexOf(b.category));
}

/**
 * Adds the labels and reviewers that a killed run did not add to an open pull request. A failure is only a warning.
 *
 * @returns the parts that the next sync has to add
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
    context.log.warn(`the next sync adds what ${pullRequest.url} lacks: ${pending.join(", ")}`);
  }
  if (pending.length === parts.length) return pending;
  await orWarn(
    context,
    `The next sync adds the labels and reviewers of ${pullRequest.url} again`,
    async () => {
      await pulls.note(pullRequest, pending);
    },
  );
  return pending;
}

/** Closes a pull request without remaining changes. If people have commits in it, only our changes are reverted. */
async function closeVanished(
  context: Context,
  pulls: PullRequests,
  proposal: Wanted,
  pullRequest: PullRequest,
  options: ProposalOptions,
): Promise<Proposal> {
  const { state, content } = proposal;
  if (state.kind === "shared") {
    context.log.warn(
      `${pullRequest.url} has no changes from PRIMARY left; it stays open because people have commits in it`,
    );
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

/** Recreates an unchanged proposal if the base branch changed the same files. */
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

/** Returns the title and the body, without the marker. */
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

/** The number of edited models that a body lists; the diff shows all. */
const EDITED_SHOWN_MAX = 20;

/** The action for the pull request of a branch. */
export type Decision =
  | { readonly kind: "create" | "none" }
  | { readonly kind: "update" | "unchanged" | "declined" | "close"; readonly pullRequest: PullRequest };

/**
 * Decides from a branch's open and earlier pull requests, newest first, what to do with a proposal.
 *
 * - `update` the newest open one if its content differs, otherwise it is `unchanged`.
 *
 * - `declined` if a person closed the newest one with the same content. Those that we closed, or that were merged, do
 * not count.
 *
 * - `close` or `none` if nothing is proposed any more.
 *
 * @param content the digest of the proposal; `undefined` for none
 */
export function decide(existing: readonly PullRequest[], content: string | undefined): Decision {
  const open = existing.find(({ isOpen }) => isOpen);
  if (open !== undefined) {
    if (content === undefined) return { kind: "close", pullRequest: open };
    // A person has reopened a pull request that we closed: its text is rewritten.
    const isSame = open.marker.content === content && !open.marker.isClosedByUs;
    return { kind: isSame ? "unchanged" : "update", pullRequest: open };
  }
  if (content === undefined) return { kind: "none" };
  const same = existing.find(({ marker }) => marker.content === content);
  const isDeclined = same !== undefined && !same.isMerged && !same.marker.isClosedByUs;
  return isDeclined ? { kind: "declined", pullRequest: same } : { kind: "create" };
}
