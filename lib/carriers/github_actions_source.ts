import { dirname } from "node:path";
import type { ArchiveLimits } from "../archive/archive_limits.ts";
import type { Context } from "../core/context.ts";
import { download } from "../http/download.ts";
import type { DownloadLimits } from "../http/download_types.ts";
import { UnreachableError } from "../core/errors.ts";
import { bearer } from "../http/request.ts";
import { describePartial } from "../http/partial_file.ts";
import { quote } from "../core/quote.ts";
import type { Secret } from "../core/secret.ts";
import { chooseRun } from "../github/choose_run.ts";
import type { GitHubAccess } from "../github/github_access.ts";
import { GitHubClient } from "../github/github_client.ts";
import type { GitHubRequest } from "../github/github_request.ts";
import { deletedArtifact, goneArtifact, wantedArtifacts } from "../github/wanted_artifacts.ts";
import {
  type Artifact,
  artifactRequest,
  listArtifacts,
  newestRuns,
  type RunQuery,
  runsRequest,
  WorkflowRun,
} from "../github/workflow_runs.ts";
import { refuseWrongChecksums } from "../release/metadata_checksum.ts";
import { requireSpace } from "../store/require_space.ts";
import { findAnswer, forgetAnswer, rememberAnswer } from "../store/remembered_answers.ts";
import type { Staging } from "../store/staging.ts";
import type { Store } from "../store/store.ts";
import { ArchivedModels, type DownloadedArchive } from "./archived_models.ts";
import type { Offer, Revision, Source } from "./carrier.ts";

/** Which artifacts to pull, and the limits for them. */
export interface GitHubActionsSettings {
  readonly query: RunQuery;
  /** Name patterns, separated by commas. */
  readonly artifact: string;
  readonly access: GitHubAccess & { readonly token: Secret };
  readonly download: DownloadLimits;
  readonly archives: ArchiveLimits;
}

export interface GitHubActionsOptions extends GitHubActionsSettings {
  /** Returns the path for the download of this name. */
  readonly partialPath: (name: string) => Promise<string>;
  /** The id of the run to pull. Default: the newest. */
  readonly run?: number | undefined;
}

/** Pulls the artifacts of a workflow's newest run with the wanted conclusion. */
export class GitHubActionsSource implements Source {
  readonly carrier = "github-actions";
  readonly #context: Context;
  readonly #options: GitHubActionsOptions;
  readonly #store: Store | undefined;
  #client: GitHubClient | undefined;
  #question: string | undefined;
  #run: WorkflowRun | undefined;
  #artifacts: readonly Artifact[] = [];
  #models: ArchivedModels | undefined;

  /** @param store remembers the last response; `undefined` in a dry run */
  constructor(context: Context, options: GitHubActionsOptions, store: Store | undefined) {
    this.#context = context;
    this.#options = options;
    this.#store = store;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#models?.[Symbol.asyncDispose]();
  }

  /** The resolved run. */
  get run(): WorkflowRun | undefined {
    return this.#run;
  }

  /** The artifacts that were downloaded of it. */
  get artifacts(): readonly Artifact[] {
    return this.#artifacts;
  }

  async resolve(): Promise<Revision> {
    const { access, query } = this.#options;
    this.#context.log.info("Starting model synchronization...");
    const client = await GitHubClient.open(this.#context, access);
    const request = await runsRequest(client, query);
    this.#client = client;
    this.#question = JSON.stringify([sourceKey(this.#options), client.addressOf(request)]);
    const run = await this.#wantedRun(client, request, this.#question);
    this.#run = run;
    return { id: `${run.id}.${run.run_attempt}`, source: sourceKey(this.#options) };
  }

  async inspect(revision: Revision): Promise<Offer> {
    const { query, archives: limits } = this.#options;
    const [client, run] = [this.#client, this.#run];
    if (client === undefined || run === undefined) throw new TypeError("inspect() before resolve()");
    try {
      const artifacts = wantedArtifacts(await listArtifacts(client, query, run), run, this.#options.artifact);
      const archives: DownloadedArchive[] = [];
      for (const artifact of artifacts) archives.push(await this.#download(client, artifact, run));
      this.#artifacts = artifacts;
      this.#models = await ArchivedModels.open(this.#context, archives, { limits, subdir: undefined });
    } catch (error) {
      // The next pull asks again which run is the newest, instead of using this one.
      if (this.#store !== undefined && this.#question !== undefined) {
        forgetAnswer(this.#store, this.#question);
      }
      throw error;
    }
    return this.#models.offer(revision, sequenceOf(run, query));
  }

  async stage(_offer: Offer, staging: Staging): Promise<void> {
    if (this.#models === undefined) throw new TypeError("stage() before inspect()");
    await this.#models.stage(staging);
    refuseWrongChecksums(this.#context.fs, staging.dir, staging.files);
  }

  /** Does nothing: the artifacts of a run have no state to move. */
  async accept(_offer: Offer): Promise<void> {}

  /** Returns the run to pull; one conditional request if nothing is new. A run that `--run` names is not remembered. */
  async #wantedRun(client: GitHubClient, request: GitHubRequest, question: string): Promise<WorkflowRun> {
    const { token } = this.#options.access;
    const store = this.#options.run === undefined ? this.#store : undefined;
    const remembered = store === undefined ? undefined : await findAnswer(store, question, token);
    const known = WorkflowRun.safeParse(remembered?.value);
    const answer = await newestRuns(client, request, known.success ? remembered?.etag : undefined);
    if (answer === undefined && known.success) return known.data;
    const newest = answer?.data ?? [];
    const run = await chooseRun(client, request, newest, answer?.hasNext === true, this.#options);
    if (store !== undefined && answer?.etag !== undefined) {
      await rememberAnswer(store, question, token, { etag: answer.etag, value: run });
    }
    return run;
  }

  async #download(client: GitHubClient, artifact: Artifact, run: WorkflowRun): Promise<DownloadedArchive> {
    const { access, query, download: limits, partialPath } = this.#options;
    const { fs, log } = this.#context;
    const [, sha256] = /^sha256:([0-9a-f]{64})$/.exec(artifact.digest?.toLowerCase() ?? "") ?? [];
    const what = `artifact ${quote(artifact.name)} of run ${run.id}`;
    const path = await partialPath(`${access.apiUrl} artifact ${artifact.id} ${sha256 ?? ""}`);
    const url = client.addressOf(artifactRequest(query, artifact, what));
    log.info(`Downloading new model: ${artifact.name} from run ${run.id}`);
    try {
      const { bytes } = await download(this.#context, {
        what,
        path,
        limits,
        // The API redirects to storage by an address that is valid for a minute: each request starts at the API.
        locate: () =>
          Promise.resolve({ url, credentials: bearer(access.apiUrl, access.token), isSigned: false }),
        // Servers without digests report the size of the content, not of the archive.
        expected: sha256 === undefined ? {} : { sha256, bytes: artifact.size_in_bytes },
        onSize: (size) => requireSpace(this.#context, dirname(path), size),
      });
      // Mark the download as complete: if the run is killed from here on, the next one need not repeat it.
      if (sha256 !== undefined) describePartial(fs, path, [{ start: 0, end: bytes }]);
    } catch (error) {
      if (!(error instanceof UnreachableError)) throw error;
      if (error.code === "HTTP_410") throw goneArtifact(what, artifact, error);
      throw error.code === "HTTP_404" ? deletedArtifact(what, error) : error;
    }
    // Only artifacts with a digest can be single files, uploaded without an archive.
    return { path, name: what, fileName: sha256 === undefined ? undefined : artifact.name };
  }
}

/** Returns the identity of a source: revisions of different sources are not comparable. */
export function sourceKey({ access, query, artifact }: GitHubActionsSettings): string {
  const { owner, repository, workflow, branch, conclusion } = query;
  const name = `${owner}/${repository}`.toLowerCase();
  return ["github-actions", access.apiUrl, name, workflow ?? "*", branch, conclusion, artifact].join(" ");
}

/** Run numbers grow within a workflow. Across workflows, only the ids grow. */
function sequenceOf(run: WorkflowRun, query: RunQuery): number {
  return query.workflow === undefined ? run.id : run.run_number;
}
