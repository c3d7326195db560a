import * as z from "zod";
import { UnreachableError } from "../core/errors.ts";
import { quote } from "../core/quote.ts";
import type { GitHubAnswer, GitHubClient } from "./github_client.ts";
import { type GitHubRequest, githubRequest } from "./github_request.ts";
import { newestFirst } from "./newest_first.ts";

/** The permission that a token needs to read runs and artifacts. */
const NEEDS = "actions:read";

/** The most entries that GitHub returns on a page. */
const PER_PAGE = 100;

/** All runs on a page are of one branch, so that the wanted run is nearly always on the first page. */
const RUNS_PER_PAGE = 30;

/** GitHub returns at most 1,000 runs for a request with filters. */
const RUN_PAGES_MAX = Math.ceil(1000 / RUNS_PER_PAGE);

/** A job uploads at most 500 artifacts: 5,000 are those of a matrix of ten jobs. */
const ARTIFACT_PAGES_MAX = 50;

/** A repository with more workflows can name one by its file name instead. */
const WORKFLOW_PAGES_MAX = 10;

const Repository = z.object({ id: z.number() });

export const WorkflowRun = z.object({
  id: z.number(),
  name: z.string().nullish(),
  run_number: z.number(),
  /** Missing on old Enterprise servers. */
  run_attempt: z.number().default(1),
  event: z.string(),
  status: z.string().nullish(),
  conclusion: z.string().nullish(),
  head_branch: z.string().nullish(),
  head_sha: z.string(),
  html_url: z.string(),
  created_at: z.string().nullish(),
  repository: Repository,
  /** Missing if the fork was deleted. */
  head_repository: Repository.nullish(),
});
/** One run of a workflow, with GitHub's names. */
export type WorkflowRun = Readonly<z.infer<typeof WorkflowRun>>;

const Runs = z.object({ workflow_runs: z.array(WorkflowRun) });

const Artifact = z.object({
  id: z.number(),
  name: z.string(),
  size_in_bytes: z.number(),
  expired: z.boolean(),
  created_at: z.string().nullish(),
  expires_at: z.string().nullish(),
  /** `sha256:` and the digest of the downloaded archive. Missing for artifacts of upload-artifact before v4. */
  digest: z.string().nullish(),
  workflow_run: z.object({
    repository_id: z.number().nullish(),
    head_repository_id: z.number().nullish(),
    head_branch: z.string().nullish(),
  }).nullish(),
});
/** An artifact of a run, with GitHub's names. */
export type Artifact = Readonly<z.infer<typeof Artifact>>;

const Artifacts = z.object({ artifacts: z.array(Artifact) });

const Workflows = z.object({
  workflows: z.array(z.object({ id: z.number(), name: z.string(), path: z.string() })),
});

/** The runs to list. */
export interface RunQuery {
  readonly owner: string;
  readonly repository: string;
  /** A file name, an id or a name; `undefined` for the runs of all workflows. */
  readonly workflow: string | undefined;
  readonly branch: string;
  /** The conclusion that a run must have. */
  readonly conclusion: "success" | "neutral" | "any";
}

/** Returns the request for the runs, newest first. Finding a workflow by its name costs another request. */
export async function runsRequest(client: GitHubClient, query: RunQuery): Promise<GitHubRequest> {
  const { owner, repository: repo, workflow, branch, conclusion } = query;
  const parameters = {
    owner,
    repo,
    branch,
    status: conclusion === "any" ? "completed" as const : conclusion,
    exclude_pull_requests: true,
    per_page: RUNS_PER_PAGE,
  };
  const where = `${owner}/${repo}`;
  if (workflow === undefined) {
    return githubRequest((api) => api.actions.listWorkflowRunsForRepo, parameters, {
      what: `the runs on ${branch} of ${where}`,
      needs: NEEDS,
    });
  }
  const workflow_id = await workflowId(client, { owner, repo }, workflow);
  return githubRequest((api) => api.actions.listWorkflowRuns, { ...parameters, workflow_id }, {
    what: `the runs of ${workflow} on ${branch} of ${where}`,
    needs: NEEDS,
  });
}

/** Returns the newest runs; `undefined` if the list is still the one that came with `etag`. */
export async function newestRuns(
  client: GitHubClient,
  request: GitHubRequest,
  etag: string | undefined,
): Promise<GitHubAnswer<readonly WorkflowRun[]> | undefined> {
  const answer = etag === undefined
    ? await client.send(request, Runs)
    : await client.sendIfChanged(request, etag, Runs);
  return answer === undefined ? undefined : { ...answer, data: answer.data.workflow_runs };
}

/** Yields the pages of runs after the one that {@link newestRuns} returns, in the order of GitHub's list. */
export async function* olderRuns(
  client: GitHubClient,
  request: GitHubRequest,
): AsyncGenerator<readonly WorkflowRun[]> {
  const pages = client.pages(request, Runs, { firstPage: 2, pagesMax: RUN_PAGES_MAX - 1 });
  for await (const { workflow_runs } of pages) yield workflow_runs;
}

/**
 * Returns all artifacts of a run, sorted by name. If several attempts of the run used a name, the artifact that was
 * uploaded last counts, even if it has expired.
 */
export async function listArtifacts(
  client: GitHubClient,
  { owner, repository: repo }: Pick<RunQuery, "owner" | "repository">,
  run: WorkflowRun,
): Promise<Artifact[]> {
  const all: Artifact[] = [];
  const request = githubRequest(
    (api) => api.actions.listWorkflowRunArtifacts,
    { owner, repo, run_id: run.id, per_page: PER_PAGE },
    { what: `the artifacts of run ${run.id} of ${owner}/${repo}`, needs: NEEDS },
  );
  for await (const { artifacts } of client.pages(request, Artifacts, { pagesMax: ARTIFACT_PAGES_MAX })) {
    all.push(...artifacts);
  }
  return [...Map.groupBy(all, ({ name }) => name)]
    .sort(([a], [b]) => a < b ? -1 : 1)
    .flatMap(([, artifacts]) => newestFirst(artifacts).slice(0, 1));
}

/** Returns the request that GitHub answers with a redirect to an artifact's archive. */
export function artifactRequest(
  { owner, repository: repo }: Pick<RunQuery, "owner" | "repository">,
  { id }: Artifact,
  what: string,
): GitHubRequest {
  const parameters = { owner, repo, artifact_id: id, archive_format: "zip" };
  return githubRequest((api) => api.actions.downloadArtifact, parameters, { what, needs: NEEDS });
}

/** Returns a workflow's id or file name, as paths of the API need it. */
async function workflowId(
  client: GitHubClient,
  { owner, repo }: { readonly owner: string; readonly repo: string },
  workflow: string,
): Promise<string> {
  if (/^\d+$/.test(workflow)) return workflow;
  if (/\.ya?ml$/i.test(workflow)) return workflow.split("/").at(-1) ?? workflow;
  const request = githubRequest((api) => api.actions.listRepoWorkflows, { owner, repo, per_page: PER_PAGE }, {
    what: `the workflows of ${owner}/${repo}`,
    needs: NEEDS,
  });
  const names: string[] = [];
  for await (const { workflows } of client.pages(request, Workflows, { pagesMax: WORKFLOW_PAGES_MAX })) {
    const found = workflows.find(({ name }) => name === workflow);
    if (found !== undefined) return String(found.id);
    names.push(...workflows.map(({ name }) => quote(name)));
  }
  throw new UnreachableError(
    `Cannot find the workflow ${quote(workflow)} of ${owner}/${repo}: ${
      names.length === 0 ? "it has none" : `it has ${names.join(", ")}`
    }`,
    {
      code: "WORKFLOW_MISSING",
      hint: "set model_sync.artifacts.workflow to its file name, its id or its name",
    },
  );
}
