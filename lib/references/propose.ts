import type { Context } from "../core/context.ts";
import { UsageError } from "../core/errors.ts";
import { plural } from "../core/format.ts";
import type { ObjectId } from "../git/registry.ts";
import { CATEGORIES, type Category, placeOf } from "./categories.ts";
import { carriedPlans } from "./carried_plans.ts";
import { contentDigest } from "./content_digest.ts";
import {
  codeSpan,
  commitMessage,
  pullRequestBody,
  pullRequestTitle,
  totalChanges,
} from "./describe_changes.ts";
import {
  type BranchState,
  categoriesOf,
  changesDigest,
  modelsEditedByPeople,
  readBranch,
  withTrailers,
} from "./git/proposed_branch.ts";
import { type TargetRepository } from "./git/target_repository.ts";
import { fullName } from "./git/repository_address.ts";
import type { JsonObject } from "./json/json_value.ts";
import {
  type CategoryPlan,
  type FileFormat,
  filesOf,
  type FileTexts,
  planCategory,
} from "./plan_category.ts";
import { decide } from "./pull_requests/decide.ts";
import type { GitHubClient } from "../github/github_client.ts";
import { type Dress, dress } from "./pull_requests/dress.ts";
import { type PullRequest, PullRequests } from "./pull_requests/pull_requests.ts";
import { shrinkNote } from "./shrink.ts";

/** How changes are proposed. */
export interface ProposalOptions extends Dress {
  readonly format: FileFormat;
  /** The branch that is kept for proposals. */
  readonly branch: string;
  /** Fewer changes than this are not proposed yet. */
  readonly changesMin: number;
  /** The largest share of a category's models that may be removed; the title says where it is more. */
  readonly maxShrink: number;
  /** Propose the removal of any number of models. */
  readonly allowShrink: boolean;
  /** Named in the pull request. */
  readonly primaryUrl: string;
}

export type ProposalOutcome =
  | "created"
  | "updated"
  | "closed"
  | "unchanged"
  /** A person closed the pull request with this content. */
  | "declined"
  | "below-threshold";

/** What became of the changes of a repository. */
export interface Proposal {
  readonly outcome: ProposalOutcome;
  readonly pullRequest: Pick<PullRequest, "number" | "url"> | undefined;
  /** How many models the pull request changes. */
  readonly changes: number;
}

/** A repository with what PRIMARY says about it. */
export interface RepositoryPlans {
  readonly repository: TargetRepository;
  /** Of every category that was looked at, also without changes. */
  readonly plans: readonly CategoryPlan[];
  /** PRIMARY's records of those categories. */
  readonly primary: ReadonlyMap<Category, JsonObject>;
}

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
  const proposal: Wanted = { ...looked, plans, content, state, isOpen: open !== undefined };
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
    case "unchanged":
      return await refresh(context, proposal, decision.pullRequest, options);
    case "create":
    case "update": {
      const edited = await pushProposal(context, proposal, options);
      const text = pullRequestText(context, plans, edited, options);
      if (decision.kind === "update") {
        await pulls.update(decision.pullRequest, { ...text, content });
        return { outcome: "updated", pullRequest: decision.pullRequest, changes };
      }
      const { pullRequest, outcome } = await pulls.create({ ...text, content });
      if (outcome === "created") await dressNew(context, client, repository, pullRequest, options);
      return { outcome, pullRequest, changes };
    }
  }
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

/** Gives a new pull request its labels and reviewers; what does not work is a warning. */
export async function dressNew(
  context: Context,
  client: GitHubClient,
  { address }: TargetRepository,
  pullRequest: PullRequest,
  wanted: Dress,
): Promise<void> {
  for (const warning of await dress(context, client, address, pullRequest, wanted)) context.log.warn(warning);
}

/** What a pull request shall say and hold. */
interface Wanted extends RepositoryPlans {
  readonly content: string;
  readonly state: BranchState;
  readonly isOpen: boolean;
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
    const edited = await pushProposal(context, proposal, options);
    if (pullRequest.marker.content === content) return { outcome: "unchanged", pullRequest, changes: 0 };
    await pulls.update(pullRequest, { ...pullRequestText(context, [], edited, options), content });
    return { outcome: "updated", pullRequest, changes: 0 };
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
): Promise<Proposal> {
  const { repository, plans, state } = proposal;
  const changes = totalChanges(plans);
  const unchanged: Proposal = { outcome: "unchanged", pullRequest, changes };
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

/** Pushes the branch, unless it is already what it has to be. @returns the models that people edited there */
async function pushProposal(
  context: Context,
  proposal: Wanted,
  { branch, format }: ProposalOptions,
): Promise<readonly string[]> {
  const { repository, plans, content, state, isOpen } = proposal;
  if (state.kind === "foreign") throw branchTaken(repository, branch);
  const seen = state.kind === "absent" ? undefined : state.head;
  const isShared = state.kind === "shared" && isOpen;
  const on = isShared ? await planOnBranch(proposal, state, format) : {
    parent: repository.base,
    base: repository.base,
    files: filesOf(plans),
    categories: plans.map(({ category }) => category),
    edited: [],
  };
  const tree = await repository.treeWith(on.parent, on.files);
  if ("last" in state) {
    const { last, head } = state;
    const isThere = isShared
      ? on.files.size === 0
      : last.id === head && last.tree === tree && last.base === on.base && last.content === content;
    if (isThere) return on.edited;
  }
  const { parent, base, categories } = on;
  const made = await changesDigest(repository, parent, tree, categories);
  const message = withTrailers(commitMessage(plans), {
    tree,
    parent,
    base,
    content,
    changes: made,
    categories,
  });
  const commit = await repository.commit(tree, parent, message);
  await repository.push(branch, commit, seen);
  context.log.info(`pushed ${branch} to ${fullName(repository.address)}`);
  return on.edited;
}

/** What is proposed on top of a branch on which people have commits. */
interface PlanOnBranch {
  readonly parent: ObjectId;
  readonly base: ObjectId;
  readonly files: FileTexts;
  readonly categories: readonly Category[];
  readonly edited: readonly string[];
}

async function planOnBranch(
  { repository, plans, primary }: Wanted,
  state: Extract<BranchState, { kind: "shared" }>,
  format: FileFormat,
): Promise<PlanOnBranch> {
  const where = `${fullName(repository.address)} at ${state.head}`;
  const files = new Map<string, string>();
  const edited: string[] = [];
  // What was proposed once may have to be taken back.
  const concerned = categoriesOf(state.commits).union(new Set(plans.map(({ category }) => category)));
  const categories = CATEGORIES.filter((category) => concerned.has(category));
  for (const category of categories) {
    const records = primary.get(category);
    // A category that was not looked at stays as it is there.
    if (records === undefined) continue;
    const keep = await modelsEditedByPeople(repository, state.commits, category);
    edited.push(...keep);
    const current = await repository.read(state.head, placeOf(category).paths);
    const plan = planCategory(category, records, current, where, { format, keep });
    for (const [path, text] of plan.files) files.set(path, text);
  }
  return { parent: state.head, base: state.last.base, files, categories, edited };
}

/** Title and body, without the marker. */
function pullRequestText(
  context: Context,
  plans: readonly CategoryPlan[],
  edited: readonly string[],
  { primaryUrl, maxShrink }: ProposalOptions,
): { readonly title: string; readonly body: string } {
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

function branchTaken(repository: TargetRepository, branch: string): UsageError {
  return new UsageError(
    `Cannot propose changes on ${branch} of ${
      fullName(repository.address)
    }: no commit of this program is on it`,
    {
      code: "BRANCH_TAKEN",
      hint: "set another branch in model_sync.references.pr.branch, or remove that one",
    },
  );
}
