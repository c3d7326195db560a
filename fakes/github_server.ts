import type { Clock } from "../lib/core/clock.ts";
import { answerPage, type ApiFault, problem, rateHeaders } from "./github_answers.ts";
import { githubRequestProblems } from "./github_openapi.ts";
import { type BlobContent, type BlobServer, startBlobServer } from "./blob_server.ts";

/** The server's repository. */
export const OWNER = "c-trading-bo";
export const REPOSITORY = "trading-bot-c-";
export const TOKEN = "ghp_0123456789abcdefghijABCDEFGHIJ012345";

const REPOSITORY_ID = 4711;
const FORK_ID = 815;

/** A run as a test sets it; defaults are those of a successful training on main. */
export interface RunDetails {
  readonly workflow?: string;
  readonly attempt?: number;
  readonly branch?: string;
  readonly event?: string;
  readonly status?: string;
  readonly conclusion?: string | null;
  /** The owner of its branch. */
  readonly of?: "repository" | "fork" | "deleted fork";
  /** A wrong value for the record, instead of the true one. */
  readonly claims?: Readonly<Record<string, unknown>>;
}

export interface ArtifactDetails {
  readonly name: string;
  readonly content: BlobContent;
  readonly expired?: boolean;
  /** Whether the record has a digest; upload-artifact before v4 sent none. */
  readonly hasDigest?: boolean;
  /** A wrong value for the record, instead of the true one. */
  readonly claims?: Readonly<Record<string, unknown>>;
}

interface StoredRun {
  readonly id: number;
  readonly workflow: string;
  readonly record: Record<string, unknown>;
  readonly artifacts: StoredArtifact[];
}

interface StoredArtifact {
  readonly content: BlobContent;
  readonly record: Record<string, unknown>;
}

/** A request to the API, with the status of its answer. */
export interface SeenRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Headers;
  readonly status: number;
}

/**
 * GitHub's REST API on loopback, for workflow runs and artifacts, with the storage to which it redirects. Every request
 * is checked against GitHub's API description; disposing of the server throws the problems.
 */
export interface GitHubServer extends AsyncDisposable {
  readonly apiUrl: string;
  readonly blobs: BlobServer;
  /** The environment of a program that uses it. */
  readonly env: Readonly<Record<string, string>>;
  readonly requests: SeenRequest[];
  /** Faults of the next answers, in order; `undefined` for a correct answer. */
  readonly faults: (ApiFault | undefined)[];
  /** The names of workflows by their file names. */
  readonly workflows: Map<string, string>;
  /** @returns the id of the run */
  addRun(details?: RunDetails): number;
  /** @returns the id of the artifact */
  addArtifact(run: number, details: ArtifactDetails): Promise<number>;
  removeRun(run: number): void;
  removeArtifact(artifact: number): void;
  /** The requests with complete answers, which count towards the rate limit. */
  readonly counted: number;
}

/** @param token the callers' token */
export function startGitHubServer(clock: Clock, token = TOKEN): GitHubServer {
  return new Server(clock, token);
}

class Server implements GitHubServer {
  readonly blobs: BlobServer;
  readonly requests: SeenRequest[] = [];
  readonly faults: GitHubServer["faults"] = [];
  readonly workflows = new Map([["train_models.yml", "Train models"]]);
  readonly #clock: Clock;
  readonly #token: string;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #runs: StoredRun[] = [];
  readonly #problems: string[] = [];
  #ids = 98_000;

  constructor(clock: Clock, token: string) {
    this.#clock = clock;
    this.#token = token;
    this.blobs = startBlobServer(clock);
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (r) => this.#serve(r));
  }

  get apiUrl(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  get env(): Readonly<Record<string, string>> {
    return { GITHUB_API_URL: this.apiUrl, GITHUB_TOKEN: this.#token };
  }

  get counted(): number {
    return this.requests.filter(({ status }) => status === 200).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
    await this.blobs[Symbol.asyncDispose]();
    if (this.#problems.length > 0) throw new Error(this.#problems.join("\n"));
  }

  addRun(details: RunDetails = {}): number {
    const { workflow = "train_models.yml", branch = "main", event = "push", of = "repository" } = details;
    const id = ++this.#ids;
    const time = this.#clock.now().toISOString();
    const owner = { repository: { id: REPOSITORY_ID }, fork: { id: FORK_ID }, "deleted fork": null }[of];
    this.#runs.unshift({
      id,
      workflow,
      artifacts: [],
      record: {
        id,
        name: this.workflows.get(workflow) ?? workflow,
        head_branch: branch,
        head_sha: String(id).padStart(40, "a"),
        path: `.github/workflows/${workflow}`,
        run_number: this.#runs.filter((run) => run.workflow === workflow).length + 1,
        run_attempt: details.attempt ?? 1,
        event,
        status: details.status ?? "completed",
        conclusion: details.conclusion === undefined ? "success" : details.conclusion,
        workflow_id: this.#workflowId(workflow),
        html_url: `https://github.com/${OWNER}/${REPOSITORY}/actions/runs/${id}`,
        created_at: time,
        updated_at: time,
        repository: { id: REPOSITORY_ID, full_name: `${OWNER}/${REPOSITORY}` },
        head_repository: owner,
        ...details.claims,
      },
    });
    return id;
  }

  removeRun(run: number): void {
    this.#runs.splice(this.#runs.findIndex(({ id }) => id === run), 1);
  }

  removeArtifact(artifact: number): void {
    for (const { artifacts } of this.#runs) {
      const index = artifacts.findIndex(({ record }) => record["id"] === artifact);
      if (index >= 0) artifacts.splice(index, 1);
    }
  }

  async addArtifact(run: number, details: ArtifactDetails): Promise<number> {
    const stored = this.#runs.find(({ id }) => id === run);
    if (stored === undefined) throw new Error(`no run ${run}`);
    const { name, content, expired = false, hasDigest = true } = details;
    const id = ++this.#ids;
    const now = this.#clock.now().getTime();
    const head = stored.record["head_repository"];
    stored.artifacts.push({
      content,
      record: {
        id,
        name,
        size_in_bytes: content instanceof Uint8Array ? content.length : Deno.statSync(content.file).size,
        url: `${this.apiUrl}/repos/${OWNER}/${REPOSITORY}/actions/artifacts/${id}`,
        archive_download_url: `${this.apiUrl}/repos/${OWNER}/${REPOSITORY}/actions/artifacts/${id}/zip`,
        expired,
        created_at: new Date(now).toISOString(),
        expires_at: new Date(now + (expired ? -1 : 90) * 24 * 3_600_000).toISOString(),
        digest: hasDigest ? `sha256:${await digestOf(content)}` : null,
        workflow_run: {
          id: run,
          repository_id: REPOSITORY_ID,
          head_repository_id: typeof head === "object" && head !== null && "id" in head ? head.id : null,
          head_branch: stored.record["head_branch"],
          head_sha: stored.record["head_sha"],
        },
        ...details.claims,
      },
    });
    return id;
  }

  async #serve(request: Request): Promise<Response> {
    const url = new URL(request.url);
    this.#problems.push(
      ...githubRequestProblems({ method: request.method, url, body: await request.text() }),
    );
    const fault = this.faults.shift();
    const response = fault === undefined ? await this.#answer(request, url) : fault(request);
    const { method, headers } = request;
    this.requests.push({ method, url, headers, status: response.status });
    return response;
  }

  async #answer(request: Request, url: URL): Promise<Response> {
    if (!request.headers.has("user-agent")) return problem(403, "Request forbidden by administrative rules.");
    if (request.headers.get("authorization") !== `Bearer ${this.#token}`) {
      return problem(401, "Bad credentials");
    }
    const below = url.pathname.replace(new RegExp(`^/repos/${OWNER}/${REPOSITORY}/actions`, "i"), "");
    if (below === url.pathname) return problem(404, "Not Found");
    const [, archive] = /^\/artifacts\/(\d+)\/zip$/.exec(below) ?? [];
    if (archive !== undefined) return this.#redirect(Number(archive));
    const list = this.#list(below, url.searchParams);
    if (list === undefined) return problem(404, "Not Found");
    return await answerPage(request, list.items, {
      asker: this.#token,
      headers: rateHeaders(5000 - this.counted, this.#clock),
      wrap: (page) => ({ total_count: list.items.length, [list.key]: page }),
    });
  }

  #list(path: string, query: URLSearchParams): { key: string; items: readonly unknown[] } | undefined {
    if (path === "/workflows") {
      const items = [...this.workflows].map(([file, name]) => ({
        id: this.#workflowId(file),
        name,
        path: `.github/workflows/${file}`,
        state: "active",
      }));
      return { key: "workflows", items };
    }
    if (path === "/runs") return { key: "workflow_runs", items: matchingRuns(this.#runs, query) };
    const [, workflow] = /^\/workflows\/([^/]+)\/runs$/.exec(path) ?? [];
    if (workflow !== undefined) {
      const file = [...this.workflows.keys()].find((file) =>
        file === workflow || String(this.#workflowId(file)) === workflow
      );
      if (file === undefined) return undefined;
      return {
        key: "workflow_runs",
        items: matchingRuns(this.#runs.filter((run) => run.workflow === file), query),
      };
    }
    const [, run] = /^\/runs\/(\d+)\/artifacts$/.exec(path) ?? [];
    const found = this.#runs.find(({ id }) => String(id) === run);
    return found === undefined
      ? undefined
      : { key: "artifacts", items: found.artifacts.map(({ record }) => record) };
  }

  #redirect(id: number): Response {
    const artifact = this.#runs.flatMap(({ artifacts }) => artifacts).find(({ record }) =>
      record["id"] === id
    );
    if (artifact === undefined) return problem(404, "Not Found");
    if (artifact.record["expired"] === true) return problem(410, "Artifact has expired");
    return new Response(null, { status: 302, headers: { location: this.blobs.sign(artifact.content) } });
  }

  #workflowId(file: string): number {
    return 1000 + [...this.workflows.keys()].indexOf(file);
  }
}

/** As in GitHub's API, `status` is a status or a conclusion. */
function matchingRuns(runs: readonly StoredRun[], query: URLSearchParams): readonly unknown[] {
  const [branch, status] = [query.get("branch"), query.get("status")];
  return runs.map(({ record }) => record).filter((record) =>
    (branch === null || record["head_branch"] === branch) &&
    (status === null || record["status"] === status || record["conclusion"] === status)
  );
}

async function digestOf(content: BlobContent): Promise<string> {
  const { createHash } = await import("node:crypto");
  const hash = createHash("sha256");
  if (content instanceof Uint8Array) return hash.update(content).digest("hex");
  const file = await Deno.open(content.file, { read: true });
  for await (const piece of file.readable) hash.update(piece);
  return hash.digest("hex");
}
