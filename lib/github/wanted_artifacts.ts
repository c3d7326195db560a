import { UnreachableError } from "../core/errors.ts";
import { quote } from "../core/quote.ts";
import { matchesPattern } from "./artifact_pattern.ts";
import type { Artifact, WorkflowRun } from "./workflow_runs.ts";

/** As many names as a message lists. */
const NAMES_SHOWN_MAX = 10;

/** Those of a run's artifacts whose names match. */
export interface WantedArtifacts {
  readonly usable: readonly Artifact[];
  readonly expired: readonly Artifact[];
}

/**
 * Those of a run's artifacts that make a release.
 *
 * @throws {UnreachableError} code `ARTIFACT_MISSING` or `ARTIFACTS_EXPIRED`, unless any number will do
 */
export function wantedArtifacts(
  artifacts: readonly Artifact[],
  run: WorkflowRun,
  pattern: string,
  wanted: "at least one" | "any number" = "at least one",
): WantedArtifacts {
  const matching = artifacts.filter((artifact) =>
    matchesPattern(pattern, artifact.name) && isOf(run, artifact)
  );
  const usable = matching.filter(({ expired }) => !expired);
  const expired = matching.filter((artifact) => artifact.expired);
  if (usable.length > 0 || wanted === "any number") return { usable, expired };
  const [first] = expired;
  if (first !== undefined) throw goneArtifact(`artifact ${quote(first.name)} of run ${run.id}`, first);
  const names = artifacts.slice(0, NAMES_SHOWN_MAX).map(({ name }) => quote(name));
  throw new UnreachableError(
    `Cannot find an artifact that matches ${pattern} in run ${run.id}: it has ${
      names.length === 0 ? "none" : names.join(", ") + (artifacts.length > names.length ? ", ..." : "")
    }`,
    {
      code: "ARTIFACT_MISSING",
      hint: `check model_sync.artifacts.artifact, and what the workflow uploads: ${run.html_url}`,
    },
  );
}

/** An artifact says itself where it is from; it has to be the run that was looked at. */
function isOf(run: WorkflowRun, { workflow_run: from }: Artifact): boolean {
  return (from?.head_repository_id ?? run.repository.id) === run.repository.id &&
    (from?.repository_id ?? run.repository.id) === run.repository.id &&
    (from?.head_branch ?? run.head_branch) === run.head_branch;
}

/** What an artifact that GitHub no longer has is told with. */
export function goneArtifact(what: string, { expires_at }: Artifact, cause?: unknown): UnreachableError {
  return new UnreachableError(`Cannot download ${what}: it ${expiry(expires_at)}`, {
    code: "ARTIFACTS_EXPIRED",
    cause,
    hint:
      "run the workflow again, and give its artifacts more retention-days; the active release is untouched",
  });
}

/** `expired on 2026-04-09T14:59:22Z` */
export function expiry(expiresAt: string | null | undefined): string {
  return expiresAt === null || expiresAt === undefined ? "has expired" : `expired on ${expiresAt}`;
}
