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
  /** The work of people that stays on its branch; absent where there is none. */
  readonly kept?: KeptWork;
  /** The parts that the next sync sets, because GitHub did not answer; absent where all are set. */
  readonly pending?: readonly DressPart[];
}

/** Commits of people on the branch of an open pull request. */
export interface KeptWork {
  readonly commits: number;
  /** The models that they changed last: PRIMARY's word on them is not proposed. */
  readonly models: readonly string[];
}

/** A repository with what PRIMARY says about it. */
export interface RepositoryPlans {
  readonly repository: TargetRepository;
  /** Of every category that was looked at, also without changes. */
  readonly plans: readonly CategoryPlan[];
  /** PRIMARY's records of those categories. */
  readonly primary: ReadonlyMap<Category, JsonObject>;
}
