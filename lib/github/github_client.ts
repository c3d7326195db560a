import type { Octokit } from "@octokit/core";
import type { z } from "zod";
import type { Context } from "../core/context.ts";
import { UnreachableError } from "../core/errors.ts";
import type { GitHubAccess } from "./github_access.ts";
import { answeredStatus, githubError } from "./github_error.ts";
import { guardedFetch, type RateLimited } from "./guarded_fetch.ts";

/** A call of GitHub's REST API. */
export interface GitHubRequest {
  /** As GitHub's description of its API has it: `GET /repos/{owner}/{repo}/actions/runs`. */
  readonly route: string;
  /** For the places in the route's path; what has none goes into the query, or the body of a request that has one. */
  readonly parameters: Readonly<Record<string, unknown>>;
  /** For errors: `the runs of train.yml in you/bot`. */
  readonly what: string;
  /** The permission that a token needs: `actions:read`. */
  readonly needs: string;
}

export interface GitHubAnswer<Data> {
  readonly data: Data;
  /** Names this answer for {@link GitHubClient.askIfChanged}; only for the same token. */
  readonly etag: string | undefined;
  /** There is a further page. */
  readonly hasNext: boolean;
}

/** The version of the API that is spoken: https://docs.github.com/en/rest/about-the-rest-api/api-versions */
const API_VERSION = "2022-11-28";

/** A limit is waited for this often in one call; who meets it more often is not the only user of the token. */
const LIMIT_WAITS_MAX = 2;

/** A limit that lasts longer is not waited for: the next scheduled run is a better time. */
const LIMIT_PAUSE_MS_MAX = 15 * 60_000;

/** What GitHub asks for where it names no pause: a minute, and more each time. */
const SECONDARY_PAUSE_MS = 60_000;

/** Asks GitHub's REST API, or that of an Enterprise server. Needs net permission. */
export class GitHubClient {
  readonly #context: Context;
  readonly #access: GitHubAccess;
  readonly #octokit: Octokit;
  #limited: RateLimited | undefined;

  private constructor(
    context: Context,
    access: GitHubAccess,
    makeOctokit: (client: GitHubClient) => Octokit,
  ) {
    this.#context = context;
    this.#access = access;
    this.#octokit = makeOctokit(this);
  }

  /**
   * Loads octokit, which other commands need not wait for. Its throttling decides what a rate limit is; how long it is
   * waited for is decided here, on our clock, and ends with our signal. Its plugin for retries has timers of its own
   * that neither could end, so what passes is tried again below it, by {@link guardedFetch}.
   */
  static async open(context: Context, access: GitHubAccess): Promise<GitHubClient> {
    const [{ Octokit }, { throttling }] = await Promise.all([
      import("@octokit/core"),
      import("@octokit/plugin-throttling"),
    ]);
    const { log } = context;
    const quiet = (message: string) => log.debug(`octokit: ${message}`);
    return new GitHubClient(context, access, (client) => {
      const onLimit = (_retryAfter: number, _options: unknown, _octokit: unknown, retryCount: number) =>
        client.#waitForLimit(retryCount);
      return new (Octokit.plugin(throttling))({
        baseUrl: access.apiUrl,
        userAgent: "model-sync",
        log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
        // The pause is over when the handlers return.
        throttle: { onRateLimit: onLimit, onSecondaryRateLimit: onLimit, retryAfterBaseValue: 0 },
      });
    });
  }

  /**
   * Asks for something.
   *
   * @param schema what of the answer is needed; everything else in it is ignored
   * @throws {AuthenticationError} 401 or 403; {@link PassingError} code `RATE_LIMITED`, or a server that does not
   * answer or is out of order; {@link UnreachableError} code `HTTP_404` or `ANSWER_INVALID`; {@link FailedError} code
   * `HTTP_422`
   */
  async ask<Schema extends z.ZodType>(
    request: GitHubRequest,
    schema: Schema,
  ): Promise<GitHubAnswer<z.infer<Schema>>> {
    return await this.#send(request, {}, schema);
  }

  /**
   * As {@link ask}, for an answer that was had before: `undefined` when it is still the same, which costs nothing of an
   * authorised caller's rate limit.
   */
  async askIfChanged<Schema extends z.ZodType>(
    request: GitHubRequest,
    etag: string,
    schema: Schema,
  ): Promise<GitHubAnswer<z.infer<Schema>> | undefined> {
    try {
      return await this.#send(request, { "if-none-match": etag }, schema);
    } catch (error) {
      if (answeredStatus(error) === 304) return undefined;
      throw error;
    }
  }

  /** Page after page of a list, from `firstPage`, until it ends or `pagesMax` pages were handed out. */
  async *askPages<Schema extends z.ZodType>(
    request: GitHubRequest,
    schema: Schema,
    { firstPage = 1, pagesMax }: { readonly firstPage?: number; readonly pagesMax: number },
  ): AsyncGenerator<z.infer<Schema>> {
    for (let page = firstPage; page < firstPage + pagesMax; page++) {
      const parameters = { ...request.parameters, page };
      const { data, hasNext } = await this.ask({ ...request, parameters }, schema);
      yield data;
      if (!hasNext) return;
    }
  }

  async #send<Schema extends z.ZodType>(
    { route, parameters, what, needs }: GitHubRequest,
    headers: Readonly<Record<string, string>>,
    schema: Schema,
  ): Promise<GitHubAnswer<z.infer<Schema>>> {
    const { clock, signal } = this.#context;
    const host = new URL(this.#access.apiUrl).host;
    signal.throwIfAborted();
    this.#limited = undefined;
    const fetch = guardedFetch(this.#context, this.#access, what, (limited) => this.#limited = limited);
    try {
      const response = await this.#octokit.request(route, {
        ...parameters,
        headers: { "accept": "application/vnd.github+json", "x-github-api-version": API_VERSION, ...headers },
        request: { fetch },
      });
      return {
        data: checked(response.data, schema, what, host),
        etag: response.headers.etag,
        hasNext: /;\s*rel="?next"?/.test(response.headers.link ?? ""),
      };
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (answeredStatus(error) === 304) throw error;
      const secrets = this.#access.token === undefined ? [] : [this.#access.token];
      throw githubError(error, { what, needs, host, secrets, now: clock.now() }, this.#limited);
    }
  }

  /** @returns whether the call is to be made again, after the pause */
  async #waitForLimit(retryCount: number): Promise<boolean> {
    const { clock, log, signal } = this.#context;
    const limited = this.#limited;
    if (limited === undefined) return false;
    const pauseMs = limited.pauseMs ?? SECONDARY_PAUSE_MS * 2 ** retryCount;
    if (retryCount >= LIMIT_WAITS_MAX || pauseMs > LIMIT_PAUSE_MS_MAX) return false;
    log.warn(`GitHub's ${limited.kind} rate limit is reached; going on in ${Math.ceil(pauseMs / 1000)} s`);
    try {
      // Clocks differ: a second more, so that it is over there, too.
      await clock.sleep(pauseMs + 1000, signal);
    } catch (error) {
      if (signal.aborted) return false;
      throw error;
    }
    this.#limited = undefined;
    return true;
  }
}

function checked<Schema extends z.ZodType>(
  data: unknown,
  schema: Schema,
  what: string,
  host: string,
): z.infer<Schema> {
  const result = schema.safeParse(data);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const problem = issue === undefined || typeof data !== "object"
    ? "no JSON"
    : [issue.path.join("."), issue.message].filter(Boolean).join(": ");
  throw new UnreachableError(
    `Cannot read ${what}: ${host} answered something else than expected (${problem})`,
    {
      code: "ANSWER_INVALID",
      hint: "check GITHUB_API_URL: is this the GitHub server that was meant?",
    },
  );
}
