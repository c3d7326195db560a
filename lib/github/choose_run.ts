import { UnreachableError } from "../core/errors.ts";
import { quote } from "../core/quote.ts";
import type { GitHubClient } from "./github_client.ts";
import type { GitHubRequest } from "./github_request.ts";
import { newestFirst } from "./newest_first.ts";
import { expiry, matchingArtifacts, nameArtifacts } from "./wanted_artifacts.ts";
import { type Artifact, listArtifacts, olderRuns, type RunQuery, type WorkflowRun } from "./workflow_runs.ts";

/** Each costs a request where nothing says which workflow makes the models. */
const RUNS_LOOKED_AT_MAX = 20;

/**
 * GitHub lists the newest run first by custom alone, so that the runs of these pages, 120, are sorted here. Each is a
 * request, made when a branch has more runs than a page holds and the first page has changed: not at every look.
 */
const SORTED_PAGES_MAX = 4;

/**
 * Returns the newest run that may be trusted. A run keeps its date when it is run again. Where no workflow is named, or
 * runs count that failed, perhaps before they uploaded anything, it has to have an artifact that matches. One whose
 * artifacts have all expired is refused like an older release: no run before it stands in for it. A run that is named
 * by its id is returned instead, as long as it may be trusted.
 *
 * @param newest the first page of what `request` asks for
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
  const seen: Seen = { distrusted: 0, lookedAt: 0, newest: [] };
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
    if (seen.lookedAt === 0) seen.newest = artifacts;
    if (++seen.lookedAt === RUNS_LOOKED_AT_MAX) break;
  }
  throw named === undefined ? noSuchRun(request, query, pattern, seen) : notListed(request, query, named);
}

/** Which run is wanted. */
export interface RunChoice {
  readonly query: RunQuery;
  /** Patterns of names, separated by commas. */
  readonly artifact: string;
  /** The id of a run that is wanted whichever is the newest. */
  readonly run?: number | undefined;
}

/** What was seen on the way through runs of which none would do. */
interface Seen {
  distrusted: number;
  lookedAt: number;
  /** Artifacts of the newest run that may be trusted. */
  newest: readonly Artifact[];
}

function noSuchRun(
  { what }: GitHubRequest,
  { conclusion }: RunQuery,
  pattern: string,
  { distrusted, lookedAt, newest }: Seen,
): UnreachableError {
  const passedOver = distrusted === 0
    ? ""
    : `; ${distrusted} of forks, pull requests or other branches are not trusted`;
  if (lookedAt === 0) {
    const ended = conclusion === "any" ? "a completed run" : `a run that ended in ${conclusion}`;
    return new UnreachableError(`Cannot find ${ended} among ${what}${passedOver}`, {
      code: "RUN_MISSING",
      hint: "run the workflow, or check model_sync.artifacts: workflow, branch and conclusion",
    });
  }
  return new UnreachableError(
    `Cannot find an artifact that matches ${pattern} in the newest ${lookedAt} of ${what}${passedOver}; the newest has ${
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
    `Cannot find run ${run} among ${what}: it has to be one that ${ended}, and not of a fork`,
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
    }, and an older run is not taken in its place`,
    {
      code: "ARTIFACTS_EXPIRED",
      hint:
        "run the workflow again, and give its artifacts more retention-days; if another workflow made it, name yours " +
        "in model_sync.artifacts.workflow; to take an older run, name its id with --run; the active release is " +
        "untouched",
    },
  );
}

/** The runs of the first pages, the newest first, then the others as GitHub lists them. */
async function* inOrder(
  client: GitHubClient,
  request: GitHubRequest,
  newest: readonly WorkflowRun[],
  hasOlder: boolean,
): AsyncGenerator<WorkflowRun> {
  // A run that starts between two requests moves the others on, and one of them comes twice.
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

/** A fork's branch may have the same name, and anybody can open a pull request: neither decides what is loaded here. */
function isTrusted(run: WorkflowRun, { branch, conclusion }: RunQuery): boolean {
  return run.head_repository?.id === run.repository.id && run.head_branch === branch &&
    !run.event.startsWith("pull_request") &&
    (conclusion === "any" ? run.status === "completed" : run.conclusion === conclusion);
}
