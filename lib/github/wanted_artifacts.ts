import { RefusedError, UnreachableError } from "../core/errors.ts";
import { quote } from "../core/quote.ts";
import { matchesWildcards } from "../core/wildcards.ts";
import type { Artifact, WorkflowRun } from "./workflow_runs.ts";

/** How many names a message lists. */
const NAMES_SHOWN_MAX = 10;

/** The artifacts of a run whose names match the patterns. */
export interface MatchingArtifacts {
  readonly usable: readonly Artifact[];
  readonly expired: readonly Artifact[];
}

/** Returns the artifacts whose names match and that belong to the run's own repository and branch. */
export function matchingArtifacts(
  artifacts: readonly Artifact[],
  run: WorkflowRun,
  pattern: string,
): MatchingArtifacts {
  const matching = artifacts.filter((artifact) =>
    matchesPattern(pattern, artifact.name) && isOf(run, artifact)
  );
  return {
    usable: matching.filter(({ expired }) => !expired),
    expired: matching.filter(({ expired }) => expired),
  };
}

/**
 * Returns whether a name matches one of the comma-separated patterns. `*` matches any characters, `?` matches one.
 * Upper and lower case are equal.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { matchesPattern } from "./wanted_artifacts.ts";
 * assert.ok(matchesPattern("*model*,*onnx*", "trained-MODELS-12"));
 * assert.ok(matchesPattern("trained-models-??", "trained-models-12"));
 * assert.ok(!matchesPattern("*model*,*onnx*", "coverage"));
 * assert.ok(!matchesPattern("model", "models"));
 * ```
 */
export function matchesPattern(patterns: string, name: string): boolean {
  return patterns.split(",").map((pattern) => pattern.trim()).filter((pattern) => pattern !== "")
    .some((pattern) => matchesWildcards(name.toLowerCase(), pattern.toLowerCase()));
}

/**
 * Returns the artifacts that make up a release: all that match.
 *
 * @throws {UnreachableError} code `ARTIFACT_MISSING`, or `ARTIFACTS_EXPIRED` if all have expired
 * @throws {RefusedError} code `ARTIFACTS_INCOMPLETE` if some have expired: the others are an incomplete release
 */
export function wantedArtifacts(
  artifacts: readonly Artifact[],
  run: WorkflowRun,
  pattern: string,
): readonly Artifact[] {
  const { usable, expired } = matchingArtifacts(artifacts, run, pattern);
  const [first, ...others] = expired;
  if (first !== undefined && usable.length > 0) throw incomplete(run, first, others.length, usable.length);
  if (first !== undefined) throw goneArtifact(`artifact ${quote(first.name)} of run ${run.id}`, first);
  if (usable.length > 0) return usable;
  throw new UnreachableError(
    `Cannot find an artifact that matches ${pattern} in run ${run.id}: it has ${nameArtifacts(artifacts)}`,
    {
      code: "ARTIFACT_MISSING",
      hint: `check model_sync.artifacts.artifact, and what the workflow uploads: ${run.html_url}`,
    },
  );
}

/** Matches names with a file extension: `.zip` or `.7z`, but not the `.2` of a version. */
const FILE_NAME = /[^.]\.(?=\d*[a-z])\w{1,8}$/i;

/**
 * Returns the names of artifacts for a message, with an explanation if they are names of files.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { nameArtifacts } from "./wanted_artifacts.ts";
 * assert.equal(nameArtifacts([]), "none");
 * assert.equal(nameArtifacts([{ name: "models-v1.2" }]), '"models-v1.2"');
 * assert.match(nameArtifacts([{ name: "models.zip" }]), /^"models.zip" \(with archive: false, GitHub names/);
 * ```
 */
export function nameArtifacts(artifacts: readonly Pick<Artifact, "name">[]): string {
  const names = artifacts.slice(0, NAMES_SHOWN_MAX).map(({ name }) => quote(name));
  if (names.length === 0) return "none";
  const more = artifacts.length > names.length ? ", ..." : "";
  const isFile = artifacts.some(({ name }) => FILE_NAME.test(name));
  return `${names.join(", ")}${more}${
    isFile ? " (with archive: false, GitHub names an artifact after its file)" : ""
  }`;
}

function incomplete(run: WorkflowRun, first: Artifact, others: number, left: number): RefusedError {
  return new RefusedError(
    `Cannot use run ${run.id}: its artifact ${quote(first.name)} ${expiry(first.expires_at)}${
      others === 0 ? "" : `, as have ${others} more`
    }, and the ${left} left of those that match would be an incomplete release`,
    {
      code: "ARTIFACTS_INCOMPLETE",
      hint:
        "run the workflow again, or name in model_sync.artifacts.artifact only those that make a release; the active " +
        "release is untouched",
    },
  );
}

/** Returns whether an artifact, by its own metadata, belongs to this run's repository and branch. */
function isOf(run: WorkflowRun, { workflow_run: from }: Artifact): boolean {
  return (from?.head_repository_id ?? run.repository.id) === run.repository.id &&
    (from?.repository_id ?? run.repository.id) === run.repository.id &&
    (from?.head_branch ?? run.head_branch) === run.head_branch;
}

/** Returns the error for an artifact that was deleted after GitHub listed it. */
export function deletedArtifact(what: string, cause: unknown): UnreachableError {
  return new UnreachableError(`Cannot download ${what}: it was deleted after GitHub listed it`, {
    code: "ARTIFACT_DELETED",
    cause,
    hint: "run the workflow again, or check that the token has actions:read; the active release is untouched",
  });
}

/** Returns the error for an artifact that has expired. */
export function goneArtifact(what: string, { expires_at }: Artifact, cause?: unknown): UnreachableError {
  return new UnreachableError(`Cannot download ${what}: it ${expiry(expires_at)}`, {
    code: "ARTIFACTS_EXPIRED",
    cause,
    hint:
      "run the workflow again, and give its artifacts more retention-days; to take an older run: model-sync artifact-pull --run ID; " +
      "the active release is untouched",
  });
}

/** `expired on 2026-04-09T14:59:22Z` */
export function expiry(expiresAt: string | null | undefined): string {
  return expiresAt === null || expiresAt === undefined ? "has expired" : `expired on ${expiresAt}`;
}
