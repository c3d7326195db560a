import { UnreachableError } from "../core/errors.ts";
import { quote } from "../core/quote.ts";
import type { GitHubClient, GitHubRequest } from "./github_client.ts";
import { newestFirst } from "./newest_first.ts";
import { expiry, matchingArtifacts } from "./wanted_artifacts.ts";
import { type Artifact, listArtifacts, olderRuns, type RunQuery, type WorkflowRun } from "./workflow_runs.ts";

/** Each costs a request where nothing says which workflow makes the models. */
const RUNS_LOOKED_AT_MAX = 20;

/**
 * Returns the newest run that may be trusted. A run keeps its date when it is run again. Where no workflow is named, or runs count that failed, perhaps before they
 * uploaded anything, it has to have an artifact that matches.
 *
 * @param newest the first page of what `request` asks for
 * @throws {UnreachableError} code `RUN_MISSING`, `ARTIFACT_MISSING` or `ARTIFACTS_EXPIRED`
 */
export async function chooseRun(
  client: GitHubClient,
  request: GitHubRequest,
  newest: readonly WorkflowRun[],
  hasOlder: boolean,
  { query, artifact: pattern }: { readonly query: RunQuery; readonly artifact: string },
): Promise<WorkflowRun> {
  const mustHaveArtifact = query.workflow === undefined || query.conclusion === "any";
  const seen: Seen = { distrusted: 0, lookedAt: 0, expired: undefined };
  for await (const run of inOrder(client, request, newest, hasOlder)) {
    if (!isTrusted(run, query)) {
      seen.distrusted++;
      continue;
    }
    if (!mustHaveArtifact) return run;
    const artifacts = await listArtifacts(client, query, run);
    const { usable, expired } = matchingArtifacts(artifacts, run, pattern);
    if (usable.length > 0) return run;
    seen.expired ??= expired[0];
    if (++seen.lookedAt === RUNS_LOOKED_AT_MAX) break;
  }
  throw noSuchRun(request, query, pattern, seen);
}

/** What was seen on the way through runs of which none would do. */
interface Seen {
  distrusted: number;
  lookedAt: number;
  expired: Artifact | undefined;
}

function noSuchRun(
  { what }: GitHubRequest,
  { conclusion }: RunQuery,
  pattern: string,
  { distrusted, lookedAt, expired }: Seen,
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
  const last = expired === undefined
    ? ""
    : `; the newest that matches, ${quote(expired.name)}, ${expiry(expired.expires_at)}`;
  return new UnreachableError(
    `Cannot find an artifact that matches ${pattern} in the newest ${lookedAt} of ${what}${passedOver}${last}`,
    {
      code: expired === undefined ? "ARTIFACT_MISSING" : "ARTIFACTS_EXPIRED",
      hint: "run the workflow again, or name it in model_sync.artifacts.workflow",
    },
  );
}

async function* inOrder(
  client: GitHubClient,
  request: GitHubRequest,
  newest: readonly WorkflowRun[],
  hasOlder: boolean,
): AsyncGenerator<WorkflowRun> {
  yield* newestFirst(newest);
  if (hasOlder) yield* olderRuns(client, request);
}

/** A fork's branch may have the same name, and anybody can open a pull request: neither decides what is loaded here. */
function isTrusted(run: WorkflowRun, { branch, conclusion }: RunQuery): boolean {
  return run.head_repository?.id === run.repository.id && run.head_branch === branch &&
    !run.event.startsWith("pull_request") &&
    (conclusion === "any" ? run.status === "completed" : run.conclusion === conclusion);
}
