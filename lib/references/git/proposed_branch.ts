import { jsonEquals } from "../json/json_equals.ts";
import type { JsonObject } from "../json/json_value.ts";
import { CATEGORIES, type Category, placeOf } from "../categories.ts";
import { type FileTexts, readRecords } from "../plan_category.ts";
import { csvToRecords } from "../text_generation/csv_to_records.ts";
import { type BranchCommit, type TargetRepository } from "./target_repository.ts";
import { fullName } from "./repository_address.ts";
import type { ObjectId } from "../../git/registry.ts";

/** A commit that this program made. */
export interface OwnCommit {
  readonly id: ObjectId;
  readonly tree: ObjectId;
  /** The commit of the base branch that it was made for. */
  readonly base: ObjectId;
  /** What it proposes: see `contentDigest`. */
  readonly content: string;
  readonly categories: readonly Category[];
}

/** What a branch for proposals holds. */
export type BranchState =
  | { readonly kind: "absent" }
  /** One commit of ours on the base branch, or several, and no other. */
  | { readonly kind: "ours"; readonly head: ObjectId; readonly last: OwnCommit }
  /** People have commits on it, too. */
  | {
    readonly kind: "shared";
    readonly head: ObjectId;
    readonly last: OwnCommit;
    /** Newest first, down to the first of ours. */
    readonly commits: readonly BranchCommit[];
  }
  /** No commit of ours is on it. */
  | { readonly kind: "foreign"; readonly head: ObjectId };

/** The branches that have commits of ours. */
export type OwnBranchState = Extract<BranchState, { readonly last: OwnCommit }>;

const TRAILERS = {
  content: "Model-Sync-Content",
  categories: "Model-Sync-Categories",
  base: "Model-Sync-Base",
  tree: "Model-Sync-Tree",
} as const;

/** Puts at the end of a commit message what {@link readBranch} knows the commit by. */
export function withTrailers(message: string, commit: Omit<OwnCommit, "id">): string {
  return `${message.trimEnd()}

${TRAILERS.content}: ${commit.content}
${TRAILERS.categories}: ${commit.categories.join(", ")}
${TRAILERS.base}: ${commit.base}
${TRAILERS.tree}: ${commit.tree}
`;
}

/** Looks at a branch of the remote and at who made its commits. */
export async function readBranch(repository: TargetRepository, branch: string): Promise<BranchState> {
  const head = await repository.remoteHead(branch);
  if (head === undefined) return { kind: "absent" };
  const commits = await repository.history(branch, head);
  const last = commits.map(ownCommit).find((own) => own !== undefined);
  if (last === undefined) return { kind: "foreign", head };
  const first = commits.findIndex((commit) => isRoot(commit));
  const proposed = first === -1 ? commits : commits.slice(0, first + 1);
  const areOurs = first !== -1 && proposed.every((commit) => ownCommit(commit) !== undefined);
  return areOurs ? { kind: "ours", head, last } : { kind: "shared", head, last, commits: proposed };
}

/** A commit of ours that somebody amended has another tree than it says, and counts as theirs. */
function ownCommit(commit: BranchCommit): OwnCommit | undefined {
  const trailer = (name: string) => new RegExp(`^${name}: (.+)$`, "m").exec(commit.message)?.[1]?.trim();
  const [content, base] = [trailer(TRAILERS.content), trailer(TRAILERS.base)];
  if (content === undefined || base === undefined || trailer(TRAILERS.tree) !== commit.tree) return undefined;
  const names = trailer(TRAILERS.categories)?.split(", ") ?? [];
  return {
    id: commit.id,
    tree: commit.tree,
    base,
    content,
    categories: CATEGORIES.filter((category) => names.includes(category)),
  };
}

/** Whether a commit of ours was made directly on the base branch. */
function isRoot(commit: BranchCommit): boolean {
  const own = ownCommit(commit);
  return own !== undefined && commit.parents.length === 1 && commit.parents[0] === own.base;
}

/**
 * The models of a category that people, and not this program, changed last on a branch. What a merge brought from the
 * base branch is nobody's edit.
 */
export async function modelsEditedByPeople(
  repository: TargetRepository,
  commits: readonly BranchCommit[],
  category: Category,
): Promise<ReadonlySet<string>> {
  const { paths } = placeOf(category);
  const recordsAt = async (commit: ObjectId): Promise<readonly JsonObject[]> =>
    recordSets(
      await repository.read(commit, paths),
      category,
      `${fullName(repository.address)} at ${commit}`,
    );
  const [settled, edited] = [new Set<string>(), new Set<string>()];
  for (const commit of commits) {
    const [parent, merged] = commit.parents;
    if (parent === undefined) break;
    const [after, before] = [await recordsAt(commit.id), await recordsAt(parent)];
    const theirs = merged === undefined ? undefined : await recordsAt(merged);
    const isOurs = ownCommit(commit) !== undefined;
    for (const [index, records] of after.entries()) {
      for (const name of changedNames(before[index] ?? EMPTY, records)) {
        if (settled.has(name)) continue;
        if (theirs !== undefined && isSame(theirs[index]?.get(name), records.get(name))) continue;
        settled.add(name);
        if (!isOurs) edited.add(name);
      }
    }
  }
  return edited;
}

const EMPTY: JsonObject = new Map();

/** What each file of a category says about its models. */
function recordSets(texts: FileTexts, category: Category, where: string): JsonObject[] {
  return placeOf(category).paths.map((path) => {
    const text = texts.get(path);
    if (text === undefined) return EMPTY;
    return path.endsWith(".csv") ? csvToRecords(text).records : readRecords(path, text, where);
  });
}

function changedNames(before: JsonObject, after: JsonObject): string[] {
  const names = new Set([...before.keys(), ...after.keys()]);
  return [...names].filter((name) => !isSame(before.get(name), after.get(name)));
}

function isSame(a: ReturnType<JsonObject["get"]>, b: ReturnType<JsonObject["get"]>): boolean {
  if (a === undefined || b === undefined) return a === b;
  return jsonEquals(a, b);
}
