import { createHash } from "node:crypto";
import { RefusedError } from "../../core/errors.ts";
import { jsonEquals } from "../json/json_equals.ts";
import type { JsonObject } from "../json/json_value.ts";
import { renderInline } from "../json/render_json.ts";
import { CATEGORIES, type Category } from "../../config/sections/references.ts";
import { placeOf } from "../categories.ts";
import { readRecords } from "../read_records.ts";
import { csvToRecords } from "../text_generation/csv_to_records.ts";
import type { BranchCommit, TargetRepository } from "./target_repository.ts";
import { fullName } from "./repository_address.ts";
import type { ObjectId } from "../../git/object_id.ts";
import { plural } from "../../core/format.ts";

/** A commit that this program created. */
export interface OwnCommit {
  readonly id: ObjectId;
  readonly tree: ObjectId;
  readonly parent: ObjectId;
  /** The commit of the base branch for which it was created. */
  readonly base: ObjectId;
  /** The digest of the proposal: see `contentDigest`. */
  readonly content: string;
  /** The digest of its changes: see {@link changesDigest}. */
  readonly changes: string;
  /** The categories whose files it changes, and those that are proposed. */
  readonly categories: readonly Category[];
}

/** The state of a branch for proposals. */
export type BranchState =
  | { readonly kind: "absent" }
  /** It has no commits of its own. */
  | { readonly kind: "empty"; readonly head: ObjectId }
  /** One or several commits of ours on the base branch, and no others. */
  | { readonly kind: "ours"; readonly head: ObjectId; readonly last: OwnCommit }
  /** It has commits of ours and of people. */
  | {
    readonly kind: "shared";
    readonly head: ObjectId;
    /** The newest commit that was ours, even if people have changed it since. */
    readonly last: OwnCommit;
    /** Newest first, down to our oldest. */
    readonly commits: readonly BranchCommit[];
  }
  /** It has no commit of ours. */
  | { readonly kind: "foreign"; readonly head: ObjectId };

const TRAILERS = {
  content: "Model-Sync-Content",
  changes: "Model-Sync-Changes",
  categories: "Model-Sync-Categories",
  base: "Model-Sync-Base",
  tree: "Model-Sync-Tree",
  parent: "Model-Sync-Parent",
} as const;

/** Appends the trailers by which {@link readBranch} recognizes a commit. */
export function withTrailers(message: string, commit: Omit<OwnCommit, "id">): string {
  return `${message.trimEnd()}

${TRAILERS.content}: ${commit.content}
${TRAILERS.changes}: ${commit.changes}
${TRAILERS.categories}: ${commit.categories.join(", ")}
${TRAILERS.base}: ${commit.base}
${TRAILERS.tree}: ${commit.tree}
${TRAILERS.parent}: ${commit.parent}
`;
}

/** Returns the state of a remote branch, by the authors of its commits. */
export async function readBranch(repository: TargetRepository, branch: string): Promise<BranchState> {
  const head = await repository.remoteHead(branch);
  if (head === undefined) return { kind: "absent" };
  const commits = await repository.history(branch, head);
  if (commits.length === 0) return { kind: "empty", head };
  const last = commits.map(claimOf).find((claim) => claim !== undefined);
  if (last === undefined) return { kind: "foreign", head };
  const first = commits.findIndex((commit) => isRoot(commit));
  const proposed = first === -1 ? commits : commits.slice(0, first + 1);
  const areOurs = first !== -1 && proposed.every((commit) => isUntouched(commit));
  return areOurs ? { kind: "ours", head, last } : { kind: "shared", head, last, commits: proposed };
}

/** Returns the categories of our commits on a branch. */
export function categoriesOf(commits: readonly BranchCommit[]): ReadonlySet<Category> {
  return new Set(commits.flatMap((commit) => claimOf(commit)?.categories ?? []));
}

/** Returns the trailers of a commit of ours. People may have amended or rebased it since. */
function claimOf(commit: BranchCommit): OwnCommit | undefined {
  const trailer = (name: string) => new RegExp(`^${name}: (.+)$`, "m").exec(commit.message)?.[1]?.trim();
  const [content, base, tree] = [TRAILERS.content, TRAILERS.base, TRAILERS.tree].map(trailer);
  if (content === undefined || base === undefined || tree === undefined) return undefined;
  const names = trailer(TRAILERS.categories)?.split(", ") ?? [];
  return {
    id: commit.id,
    tree,
    parent: trailer(TRAILERS.parent) ?? "",
    base,
    content,
    changes: trailer(TRAILERS.changes) ?? "",
    categories: CATEGORIES.filter((category) => names.includes(category)),
  };
}

/** Whether a commit is unchanged: the same content on the same parent. */
function isUntouched(commit: BranchCommit): boolean {
  const claim = claimOf(commit);
  return claim?.tree === commit.tree && commit.parents.length === 1 && commit.parents[0] === claim.parent;
}

/**
 * Whether a commit still contains the changes that this program made with it: true after a rebase, false after an amend
 * or a squash.
 */
async function isOurs(repository: TargetRepository, commit: BranchCommit): Promise<boolean> {
  const claim = claimOf(commit);
  const [parent] = commit.parents;
  if (claim === undefined || parent === undefined) return false;
  if (isUntouched(commit)) return true;
  return claim.changes === await changesDigest(repository, parent, commit.id, claim.categories);
}

/**
 * Returns a digest of the changes of models between two commits or trees.
 *
 * @returns `sha256:` and 64 hexadecimal digits
 */
export async function changesDigest(
  repository: TargetRepository,
  from: ObjectId,
  to: ObjectId,
  categories: readonly Category[],
): Promise<string> {
  const hash = createHash("sha256");
  for (const category of categories) {
    const before = await recordsOfFilesAt(repository, from, category);
    for (const [index, records] of (await recordsOfFilesAt(repository, to, category)).entries()) {
      for (const name of changedNames(before[index] ?? EMPTY, records).sort()) {
        const record = records.get(name);
        const made = record === undefined ? "" : renderInline(record);
        hash.update(`${category} ${index} ${renderInline(name)} ${made}\n`);
      }
    }
  }
  return `sha256:${hash.digest("hex")}`;
}

/** Whether a commit of ours was created directly on the base branch. */
function isRoot(commit: BranchCommit): boolean {
  return isUntouched(commit) && commit.parents[0] === claimOf(commit)?.base;
}

/** The commits and edits of people on a branch for proposals. */
export interface WorkOfPeople {
  readonly commits: number;
  /** The models that people changed last. */
  readonly edited: ReadonlyMap<Category, ReadonlySet<string>>;
}

export const NO_WORK: WorkOfPeople = { commits: 0, edited: new Map() };

/** Returns the work of people on a branch, in the categories of our commits and in `categories`. */
export async function workOfPeople(
  repository: TargetRepository,
  { commits }: Extract<BranchState, { readonly kind: "shared" }>,
  categories: readonly Category[],
): Promise<WorkOfPeople> {
  const edited = new Map<Category, ReadonlySet<string>>();
  for (const category of categoriesOf(commits).union(new Set(categories))) {
    edited.set(category, await modelsEditedByPeople(repository, commits, category));
  }
  let theirs = 0;
  for (const commit of commits) theirs += await isOurs(repository, commit) ? 0 : 1;
  return { commits: theirs, edited };
}

/**
 * Returns the models of a category that people changed last on a branch. Changes that a merge took from the base branch
 * do not count.
 */
async function modelsEditedByPeople(
  repository: TargetRepository,
  commits: readonly BranchCommit[],
  category: Category,
): Promise<ReadonlySet<string>> {
  const at = (commit: ObjectId) => recordsOfFilesAt(repository, commit, category);
  const [settled, edited] = [new Set<string>(), new Set<string>()];
  /** Each commit is the parent of the one before it. */
  let after: readonly JsonObject[] | undefined;
  for (const commit of commits) {
    const [parent, merged] = commit.parents;
    if (parent === undefined) break;
    after ??= await at(commit.id);
    const before = await at(parent);
    const theirs = merged === undefined ? undefined : await at(merged);
    const isByUs = await isOurs(repository, commit);
    for (const [index, records] of after.entries()) {
      for (const name of changedNames(before[index] ?? EMPTY, records)) {
        if (settled.has(name)) continue;
        if (theirs !== undefined && isSame(theirs[index]?.get(name), records.get(name))) continue;
        settled.add(name);
        if (!isByUs) edited.add(name);
      }
    }
    after = before;
  }
  return edited;
}

const EMPTY: JsonObject = new Map();

/** Returns the records of each file of a category in a commit or a tree. */
async function recordsOfFilesAt(
  repository: TargetRepository,
  commit: ObjectId,
  category: Category,
): Promise<JsonObject[]> {
  const { paths } = placeOf(category);
  const texts = await repository.read(commit, paths);
  const where = `${fullName(repository.address)} at ${commit}`;
  return paths.map((path) => {
    const text = texts.get(path);
    if (text === undefined) return EMPTY;
    return path.endsWith(".csv") ? recordsOfCsv(text) : readRecords(path, text, where);
  });
}

/** Returns no records for an unreadable file. Planning the category fixes or reports it. */
function recordsOfCsv(text: string): JsonObject {
  try {
    return csvToRecords(text).records;
  } catch (error) {
    if (error instanceof RefusedError) return EMPTY;
    throw error;
  }
}

function changedNames(before: JsonObject, after: JsonObject): string[] {
  const names = new Set([...before.keys(), ...after.keys()]);
  return [...names].filter((name) => !isSame(before.get(name), after.get(name)));
}

function isSame(a: ReturnType<JsonObject["get"]>, b: ReturnType<JsonObject["get"]>): boolean {
  if (a === undefined || b === undefined) return a === b;
  return jsonEquals(a, b);
}

/** The length of a commit's short name. */
const ID_CHARS = 7;

/** Returns a line about the branch for proposals and its pull request, for the log. */
export function describeBranch(
  branch: string,
  { address, base }: Pick<TargetRepository, "address" | "base">,
  state: BranchState,
  openUrl: string | undefined,
): string {
  const where = `${fullName(address)}: ${address.branch} is at ${base.slice(0, ID_CHARS)}`;
  return `${where}, ${branch} ${stateOf(state)}, ${openUrl ?? "no open pull request"}`;
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
      return `${at} with ${plural(state.commits.length, "commit")}, some by people`;
    case "foreign":
      return `${at} without a commit of model-sync`;
  }
}
