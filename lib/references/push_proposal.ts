import type { Context } from "../core/context.ts";
import { UsageError } from "../core/errors.ts";
import type { ObjectId } from "../git/object_id.ts";
import { CATEGORIES, type Category } from "../config/sections/references.ts";
import { placeOf } from "./categories.ts";
import { commitMessage } from "./describe_changes.ts";
import {
  type BranchState,
  categoriesOf,
  changesDigest,
  withTrailers,
  type WorkOfPeople,
} from "./git/proposed_branch.ts";
import { fullName } from "./git/repository_address.ts";
import type { TargetRepository } from "./git/target_repository.ts";
import { type FileFormat, filesOf, type FileTexts } from "./plan.ts";
import { planCategory } from "./plan_category.ts";
import type { RepositoryPlans } from "./proposal.ts";

/** The text and content of a pull request. */
export interface Wanted extends RepositoryPlans {
  readonly content: string;
  readonly state: BranchState;
  readonly isOpen: boolean;
  /** The commits and edits of people on the branch, which are kept. */
  readonly work: WorkOfPeople;
}

/**
 * Pushes the branch of a pull request, unless it is up to date.
 *
 * @throws {UsageError} code `BRANCH_TAKEN` when no commit of ours is on the branch
 */
export async function pushProposal(
  context: Context,
  proposal: Wanted,
  { branch, format }: { readonly branch: string; readonly format: FileFormat },
): Promise<void> {
  const { repository, plans, content, state, isOpen } = proposal;
  if (state.kind === "foreign") throw branchTaken(repository, branch);
  const seen = state.kind === "absent" ? undefined : state.head;
  const isShared = state.kind === "shared" && isOpen;
  const on = isShared ? await planOnBranch(proposal, state, format) : {
    parent: repository.base,
    base: repository.base,
    files: filesOf(plans),
    categories: plans.map(({ category }) => category),
  };
  const tree = await repository.treeWith(on.parent, on.files);
  if ("last" in state) {
    const { last, head } = state;
    const isThere = isShared
      ? on.files.size === 0
      : last.id === head && last.tree === tree && last.base === on.base && last.content === content;
    if (isThere) return;
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
}

/** Returns the plans on top of a branch with commits of people. */
interface PlanOnBranch {
  readonly parent: ObjectId;
  readonly base: ObjectId;
  readonly files: FileTexts;
  readonly categories: readonly Category[];
}

async function planOnBranch(
  { repository, plans, primary, work }: Wanted,
  state: Extract<BranchState, { kind: "shared" }>,
  format: FileFormat,
): Promise<PlanOnBranch> {
  const where = `${fullName(repository.address)} at ${state.head}`;
  const files = new Map<string, string>();
  // An earlier proposal may have to be reverted.
  const concerned = categoriesOf(state.commits).union(new Set(plans.map(({ category }) => category)));
  const categories = CATEGORIES.filter((category) => concerned.has(category));
  for (const category of categories) {
    const records = primary.get(category);
    // The files of a category that this sync did not read stay on the branch.
    if (records === undefined) continue;
    const keep = work.edited.get(category) ?? new Set();
    const current = await repository.read(state.head, placeOf(category).paths);
    const plan = planCategory(category, records, current, where, { format, keep });
    for (const [path, text] of plan.files) files.set(path, text);
  }
  return { parent: state.head, base: state.last.base, files, categories };
}

function branchTaken(repository: TargetRepository, branch: string): UsageError {
  return new UsageError(
    `Cannot propose changes on ${branch} of ${
      fullName(repository.address)
    }: no commit of this program is on it`,
    {
      code: "BRANCH_TAKEN",
      hint: "set another branch in model_sync.references.pr.branch, or delete this one",
    },
  );
}
