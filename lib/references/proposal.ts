import type { Category } from "../config/sections/references.ts";
import type { TargetRepository } from "./git/target_repository.ts";
import type { JsonObject } from "./json/json_value.ts";
import type { CategoryPlan, FileFormat } from "./plan.ts";
import type { Dress } from "./pull_requests/dress.ts";
import type { DressPart } from "./pull_requests/marker.ts";
import type { PullRequest } from "./pull_requests/pull_requests.ts";

/** How changes are proposed. */
export interface ProposalOptions extends Dress {
  readonly format: FileFormat;
  /** The permanent branch for proposals. */
  readonly branch: string;
  /** Fewer changes are not proposed yet. */
  readonly changesMin: number;
  /** The largest share of a category's models that may be removed. The title mentions larger removals. */
  readonly maxShrink: number;
  /** Whether any number of models may be removed. */
  readonly allowShrink: boolean;
  /** The address that the pull request names. */
  readonly primaryUrl: string;
}

export type ProposalOutcome =
  | "created"
  | "updated"
  | "closed"
  | "unchanged"
  /** A person has closed a pull request with this content. */
  | "declined"
  | "below-threshold";

/** The outcome for a repository's changes. */
export interface Proposal {
  readonly outcome: ProposalOutcome;
  readonly pullRequest: Pick<PullRequest, "number" | "url"> | undefined;
  /** The number of changed models. */
  readonly changes: number;
  /** The work of people that stays on its branch, if there is any. */
  readonly kept?: KeptWork;
  /** The parts that the next sync adds, because GitHub did not answer. */
  readonly pending?: readonly DressPart[];
}

/** Commits of people on the branch of an open pull request. */
export interface KeptWork {
  readonly commits: number;
  /** The models that people changed last. PRIMARY's version of them is not proposed. */
  readonly models: readonly string[];
}

/** A repository, with PRIMARY's records. */
export interface RepositoryPlans {
  readonly repository: TargetRepository;
  /** The plan of every compared category, also without changes. */
  readonly plans: readonly CategoryPlan[];
  /** PRIMARY's records of these categories. */
  readonly primary: ReadonlyMap<Category, JsonObject>;
}
