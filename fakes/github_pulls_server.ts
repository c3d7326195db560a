import { Buffer } from "node:buffer";
import { createPublicKey, verify } from "node:crypto";
import * as z from "zod";
import type { Clock } from "../lib/core/clock.ts";
import { githubRequestProblems } from "./github_openapi.ts";
import {
  type BranchSha,
  type Caller,
  commentRecord,
  fileRecord,
  PullsRepository,
  type RepositoryDetails,
  type StoredPull,
} from "./github_pulls_repository.ts";
import { answerPage, problem, rateHeaders } from "./github_answers.ts";
import { type SeenRequest, TOKEN } from "./github_server.ts";

/** A fault in place of the correct answer, or after the request took effect. */
export type PullsFault = (request: Request, answer: () => Promise<Response>) => Response | Promise<Response>;

/** The request takes effect, but its answer is lost. */
export const lostAnswer: PullsFault = async (_request, answer) => {
  await answer();
  return new Response("<html>Unicorn!</html>", { status: 502, headers: { "content-type": "text/html" } });
};

/** A GitHub App. */
export interface StoredApp {
  readonly id: string;
  readonly installationId: string;
  /** The public key, as PEM. */
  readonly publicKey: string;
}

/** A request with its body. */
export interface SeenWrite extends SeenRequest {
  readonly body: string;
}

const Claims = z.object({ iat: z.int(), exp: z.int(), iss: z.string() });

/** The lifetime of an App's token. */
const TOKEN_MS = 3_600_000;

/**
 * GitHub's REST API on loopback, for pull requests and Apps. It has no commits: `branchSha` returns those of branches,
 * from a real git server or a map. Every request is checked against GitHub's API description; disposing of the server
 * throws the problems.
 */
export class GitHubPullsServer implements AsyncDisposable {
  readonly requests: SeenWrite[] = [];
  /** Faults of the next answers, in order; `undefined` for a correct answer. */
  readonly faults: (PullsFault | undefined)[] = [];
  /** The callers by their tokens. */
  readonly callers: Map<string, Caller>;
  readonly #clock: Clock;
  readonly #branchSha: BranchSha;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #repositories = new Map<string, PullsRepository>();
  readonly #apps: StoredApp[] = [];
  readonly #tokens = new Map<string, number>();
  readonly #problems: string[] = [];

  constructor(clock: Clock, branchSha: BranchSha) {
    this.#clock = clock;
    this.#branchSha = branchSha;
    this.callers = new Map([[TOKEN, { login: "horde-bot", canWrite: true, canMakeLabels: true }]]);
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (r) => this.#serve(r));
  }

  get apiUrl(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  /** The writing requests, as `POST /repos/you/bot/pulls`. */
  get writes(): readonly string[] {
    return this.requests.filter(({ method }) => method !== "GET")
      .map(({ method, url }) => `${method} ${url.pathname}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
    if (this.#problems.length > 0) throw new Error(this.#problems.join("\n"));
  }

  addRepository(fullName: string, details: RepositoryDetails = {}): PullsRepository {
    const [owner = "", name = ""] = fullName.split("/");
    const id = 4711 + this.#repositories.size;
    const world = { clock: this.#clock, branchSha: this.#branchSha };
    const repository = new PullsRepository(world, { id, owner, name }, details);
    this.#repositories.set(fullName.toLowerCase(), repository);
    return repository;
  }

  addApp(app: StoredApp): void {
    this.#apps.push(app);
  }

  /** Whether a token is valid, for a git server beside this one. */
  accepts(token: string): boolean {
    return this.#callerOf(token) !== undefined;
  }

  async #serve(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const { method, headers } = request;
    const body = await request.text();
    this.#problems.push(...githubRequestProblems({ method, url, body }));
    const answer = () => this.#answer(request, url, body);
    const fault = this.faults.shift();
    const response = fault === undefined ? await answer() : await fault(request, answer);
    this.requests.push({ method, url, headers, body, status: response.status });
    return response;
  }

  async #answer(request: Request, url: URL, body: string): Promise<Response> {
    if (!request.headers.has("user-agent")) return problem(403, "Request forbidden by administrative rules.");
    const token = request.headers.get("authorization")?.replace(/^(?:bearer|token) /i, "");
    const [, installation] = /^\/app\/installations\/(\d+)\/access_tokens$/.exec(url.pathname) ?? [];
    if (installation !== undefined) return this.#makeToken(installation, token ?? "");
    const caller = token === undefined ? undefined : this.#callerOf(token);
    if (token !== undefined && caller === undefined) return problem(401, "Bad credentials");
    const [, owner, name, below = ""] = /^\/repos\/([^/]+)\/([^/]+)(\/.*)?$/.exec(url.pathname) ?? [];
    const repository = this.#repositories.get(`${owner}/${name}`.toLowerCase());
    if (repository === undefined || (repository.isPrivate && caller === undefined)) {
      return problem(404, "Not Found");
    }
    if (request.method === "GET" && below === "") {
      const permissions = caller === undefined ? {} : { permissions: { pull: true, push: caller.canWrite } };
      return Response.json({ id: repository.id, full_name: repository.fullName, ...permissions });
    }
    if (request.method === "GET") return await this.#read(request, repository, below, token ?? "");
    if (caller === undefined) return problem(401, "Requires authentication");
    if (!caller.canWrite) return problem(403, "Resource not accessible by personal access token");
    return await this.#write(request.method, repository, below, caller, JSON.parse(body));
  }

  async #read(request: Request, repository: PullsRepository, below: string, asker: string) {
    const answer = (items: readonly unknown[]) => {
      const counted = this.requests.filter(({ status }) => status !== 304).length;
      return answerPage(request, items, {
        asker,
        headers: rateHeaders(5000 - counted, this.#clock),
        wrap: (page) => page,
      });
    };
    if (below === "/pulls") return await answer(repository.list(new URL(request.url).searchParams));
    const changing = pullOf(repository, /^\/pulls\/(\d+)\/files$/.exec(below));
    if (changing !== undefined) return await answer(changing.files.map(fileRecord));
    const pull = pullOf(repository, /^\/issues\/(\d+)\/comments$/.exec(below));
    return pull === undefined ? problem(404, "Not Found") : await answer(pull.comments.map(commentRecord));
  }

  async #write(
    method: string,
    repository: PullsRepository,
    below: string,
    caller: Caller,
    body: Readonly<Record<string, unknown>>,
  ): Promise<Response> {
    if (`${method} ${below}` === "POST /pulls") return await repository.create(caller, body);
    const [, commentId] = /^\/issues\/comments\/(\d+)$/.exec(below) ?? [];
    if (method === "PATCH" && commentId !== undefined) return repository.editComment(Number(commentId), body);
    const match = /^\/(?:pulls|issues)\/(\d+)(\/[a-z_]+)?$/.exec(below);
    const pull = pullOf(repository, match);
    if (pull === undefined) return problem(404, "Not Found");
    switch (`${method} ${match?.[2] ?? ""}`) {
      case "PATCH ":
        return repository.change(pull, body);
      case "POST /comments":
        return repository.comment(caller, pull, body);
      case "POST /labels":
        return repository.label(caller, pull, body);
      case "POST /requested_reviewers":
        return repository.requestReview(pull, body);
      default:
        return problem(404, "Not Found");
    }
  }

  #callerOf(token: string): Caller | undefined {
    const expiresMs = this.#tokens.get(token);
    if (expiresMs === undefined) return this.callers.get(token);
    if (expiresMs <= this.#clock.now().getTime()) return undefined;
    return { login: "horde-app[bot]", canWrite: true, canMakeLabels: true };
  }

  /** Returns an installation's token for a JWT that the App signed. */
  #makeToken(installation: string, jwt: string): Response {
    const nowSec = Math.floor(this.#clock.now().getTime() / 1000);
    const [header = "", claims = "", signature = ""] = jwt.split(".");
    const parsed = Claims.safeParse(decodeJson(claims));
    const app = this.#apps.find(({ publicKey }) =>
      verify(
        "RSA-SHA256",
        Buffer.from(`${header}.${claims}`),
        createPublicKey(publicKey),
        Buffer.from(signature, "base64url"),
      )
    );
    if (app === undefined || !parsed.success) {
      return problem(401, "A JSON web token could not be decoded");
    }
    const { iat, exp, iss } = parsed.data;
    if (iat > nowSec || exp <= nowSec) {
      return problem(
        401,
        "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued",
      );
    }
    if (exp > nowSec + 600) {
      return problem(401, "'Expiration time' claim ('exp') is too far in the future");
    }
    if (iss !== app.id) return problem(404, "Integration not found");
    if (installation !== app.installationId) return problem(404, "Not Found");
    const token = `ghs_${String(this.#tokens.size + 1).padStart(36, "0")}`;
    const expiresMs = this.#clock.now().getTime() + TOKEN_MS;
    this.#tokens.set(token, expiresMs);
    const answer = { token, expires_at: new Date(expiresMs).toISOString().replace(/\.\d+Z$/, "Z") };
    return Response.json({ ...answer, permissions: { contents: "write" } }, { status: 201 });
  }
}

function pullOf(repository: PullsRepository, match: RegExpExecArray | null): StoredPull | undefined {
  return repository.pulls.find(({ number }) => String(number) === match?.[1]);
}

function decodeJson(part: string): unknown {
  try {
    return JSON.parse(Buffer.from(part, "base64url").toString());
  } catch {
    return undefined;
  }
}
