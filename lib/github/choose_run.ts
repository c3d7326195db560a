import { UnreachableError } from "../core/errors.ts";
import { quote } from "../core/quote.ts";
import type { GitHubClient } from "./github_client.ts";
import type { GitHubRequest } from "./github_request.ts";
import { newestFirst } from "./newest_first.ts";
import { expiry, matchingArtifacts, nameArtifacts } from "./wanted_artifacts.ts";
import { type Artifact, listArtifacts, olderRuns, type RunQuery, type WorkflowRun } from "./workflow_runs.ts";

/** Each run costs a request if the configuration names no workflow. */
const RUNS_CHECKED_MAX = 20;

/**
 * GitHub lists the newest run first, but does not promise it: the 120 runs of these pages are sorted here. The further
 * pages are requested only if the first page has changed and a branch has more runs than it holds.
 */
const SORTED_PAGES_MAX = 4;

/**
 * Returns the newest trusted run, or the trusted run with the id that the operator named. A run that is started again
 * keeps its date. The run needs a matching artifact if the configuration names no workflow, or accepts failed runs,
 * which may have uploaded nothing. If all matching artifacts of the newest run have expired, the run is refused: an
 * older run would be a downgrade.
 *
 * @param newest the first page of the runs that `request` lists
 * @throws {UnreachableError} code `RUN_MISSING`, `ARTIFACT_MISSING` or `ARTIFACTS_EXPIRED`
 */
export async function chooseRun(
  client: GitHubClient,
  request: GitHubRequest,
  newest: readonly WorkflowRun[],
  hasOlder: boolean,
  { query, artifact: pattern, run: named }: RunChoice,
): Promise<WorkflowRun> {
  const mustHaveArtifact = query.workflow === undefined || query.conclusion === "any";
  const seen: Seen = { distrusted: 0, checked: 0, newest: [] };
  for await (const run of inOrder(client, request, newest, hasOlder)) {
    if (!isTrusted(run, query)) {
      seen.distrusted++;
      continue;
    }
    if (named !== undefined && named !== run.id) continue;
    if (named !== undefined) return run;
    if (!mustHaveArtifact) return run;
    const artifacts = await listArtifacts(client, query, run);
    const { usable, expired } = matchingArtifacts(artifacts, run, pattern);
    if (usable.length > 0) return run;
    if (expired[0] !== undefined) throw expiredRun(request, run, expired[0]);
    if (seen.checked === 0) seen.newest = artifacts;
    if (++seen.checked === RUNS_CHECKED_MAX) break;
  }
  throw named === undefined ? noSuchRun(request, query, pattern, seen) : notListed(request, query, named);
}

/** The run to choose. */
export interface RunChoice {
  readonly query: RunQuery;
  /** Patterns of names, separated by commas. */
  readonly artifact: string;
  /** The id of a run to take whether or not it is the newest. */
  readonly run?: number | undefined;
}

/** The runs that were checked and did not qualify, for the error. */
interface Seen {
  distrusted: number;
  checked: number;
  /** The artifacts of the newest trusted run. */
  newest: readonly Artifact[];
}

function noSuchRun(
  { what }: GitHubRequest,
  { conclusion }: RunQuery,
  pattern: string,
  { distrusted, checked, newest }: Seen,
): UnreachableError {
  const passedOver = distrusted === 0
    ? ""
    : `; ${distrusted} of forks, pull requests or other branches are not trusted`;
  if (checked === 0) {
    const ended = conclusion === "any" ? "a completed run" : `a run that ended in ${conclusion}`;
    return new UnreachableError(`Cannot find ${ended} among ${what}${passedOver}`, {
      code: "RUN_MISSING",
      hint: "run the workflow, or check model_sync.artifacts: workflow, branch and conclusion",
    });
  }
  return new UnreachableError(
    `Cannot find an artifact that matches ${pattern} in the newest ${checked} of ${what}${passedOver}; the newest has ${
      nameArtifacts(newest)
    }`,
    {
      code: "ARTIFACT_MISSING",
      hint:
        "check model_sync.artifacts.artifact, run the workflow again, or name it in model_sync.artifacts.workflow",
    },
  );
}

function notListed({ what }: GitHubRequest, { conclusion }: RunQuery, run: number): UnreachableError {
  const ended = conclusion === "any" ? "is completed" : `ended in ${conclusion}`;
  return new UnreachableError(
    `Cannot find run ${run} among ${what}: it must be a run that ${ended}, and not of a fork`,
    {
      code: "RUN_MISSING",
      hint:
        "check the id, which is in the run's address, and model_sync.artifacts: workflow, branch and conclusion",
    },
  );
}

function expiredRun({ what }: GitHubRequest, run: WorkflowRun, artifact: Artifact): UnreachableError {
  return new UnreachableError(
    `Cannot use run ${run.id} of ${what}: the newest that matches, ${quote(artifact.name)}, ${
      expiry(artifact.expires_at)
    }, and an older run would be a downgrade`,
    {
      code: "ARTIFACTS_EXPIRED",
      hint:
        "run the workflow again, and give its artifacts more retention-days; if another workflow made it, name yours " +
        "in model_sync.artifacts.workflow; to take an older run: model-sync artifact-pull --run ID; the active release is " +
        "untouched",
    },
  );
}

/** Yields the runs of the first pages, newest first, and then the others in the order of GitHub's list. */
async function* inOrder(
  client: GitHubClient,
  request: GitHubRequest,
  newest: readonly WorkflowRun[],
  hasOlder: boolean,
): AsyncGenerator<WorkflowRun> {
  // A run that starts between two requests moves the others to later pages, so that one of them is listed twice.
  const seen = new Set<number>();
  const unseen = (runs: readonly WorkflowRun[]) =>
    runs.filter(({ id }) => !seen.has(id) && seen.add(id) !== undefined);
  const sorted = unseen(newest);
  let pages = 1;
  for await (const page of hasOlder ? olderRuns(client, request) : []) {
    pages++;
    if (pages > SORTED_PAGES_MAX) yield* unseen(page);
    else sorted.push(...unseen(page));
    if (pages === SORTED_PAGES_MAX) yield* newestFirst(sorted.splice(0));
  }
  yield* newestFirst(sorted);
}

/** A fork may have a branch of the same name, and any GitHub user can open a pull request: both are refused. */
function isTrusted(run: WorkflowRun, { branch, conclusion }: RunQuery): boolean {
  return run.head_repository?.id === run.repository.id && run.head_branch === branch &&
    !run.event.startsWith("pull_request") &&
    (conclusion === "any" ? run.status === "completed" : run.conclusion === conclusion);
}
