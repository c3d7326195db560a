import type { Octokit } from "@octokit/core";
import type { z } from "zod";
import type { Context } from "../core/context.ts";
import { AuthenticationError, UnreachableError } from "../core/errors.ts";
import { actionOf } from "../core/network_error.ts";
import { nextLink } from "../core/next_link.ts";
import { AnswerMemory } from "./answer_memory.ts";
import { currentToken, type GitHubAccess } from "./github_access.ts";
import { answeredStatus, githubError } from "./github_error.ts";
import { guardedFetch, type RateLimited } from "./guarded_fetch.ts";
import { loadOctokit } from "./load_octokit.ts";
import { WritePace } from "./write_pace.ts";

/** A call of GitHub's REST API. */
export interface GitHubRequest {
  /** As GitHub's description of its API has it: `GET /repos/{owner}/{repo}/actions/runs`. */
  readonly route: string;
  /** For the places in the route's path; what has none goes into the query, or the body of a request that has one. */
  readonly parameters: Readonly<Record<string, unknown>>;
  /** For errors: `the runs of train.yml in you/bot`. */
  readonly what: string;
  /** What is done to that, for errors: `create`; `read` where nothing is said. */
  readonly verb?: string;
  /** The permission that a token needs: `actions:read`. */
  readonly needs: string;
  /** A write that changes nothing when it is sent a second time; reads never do. */
  readonly isRepeatable?: boolean;
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

/** A token that was just made is not known everywhere at once; it is refused for some seconds at most. */
const NEW_TOKEN_PAUSES_MS: readonly (number | undefined)[] = [1_000, 2_000, undefined];

/** Asks GitHub's REST API, or that of an Enterprise server, and writes through it. Needs net permission. */
export class GitHubClient {
  readonly #context: Context;
  readonly #access: GitHubAccess;
  readonly #octokit: Octokit;
  readonly #memory = new AnswerMemory();
  readonly #pace: WritePace;
  #limited: RateLimited | undefined;

  private constructor(
    context: Context,
    access: GitHubAccess,
    makeOctokit: (client: GitHubClient) => Octokit,
  ) {
    this.#context = context;
    this.#access = access;
    this.#octokit = makeOctokit(this);
    this.#pace = new WritePace(context);
  }

  /**
   * Loads octokit, which other commands need not wait for. Its throttling decides what a rate limit is; how long it is
   * waited for is decided here, on our clock, and ends with our signal. Its plugin for retries has timers of its own
   * that neither could end, so what passes is tried again below it, by {@link guardedFetch}.
   */
  static async open(context: Context, access: GitHubAccess): Promise<GitHubClient> {
    const { Octokit, throttling, unpaced } = await loadOctokit();
    const { log } = context;
    const quiet = (message: string) => log.debug(`octokit: ${message}`);
    return new GitHubClient(context, access, (client) => {
      const onLimit = (_retryAfter: number, _options: unknown, _octokit: unknown, retryCount: number) =>
        client.#waitForLimit(retryCount);
      return new (Octokit.plugin(throttling))({
        baseUrl: access.apiUrl,
        userAgent: "model-sync",
        log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
        throttle: {
          onRateLimit: onLimit,
          onSecondaryRateLimit: onLimit,
          // The pause is over when the handlers return.
          retryAfterBaseValue: 0,
          // Its pauses between writes would be of real time, and deaf to our signal: WritePace has them instead.
          write: unpaced,
          notifications: unpaced,
        },
      });
    });
  }

  /**
   * Asks for something, or writes it. A write waits until it is a second after the one before.
   *
   * @param schema what of the answer is needed; everything else in it is ignored
   * @throws {AuthenticationError} 401 or 403; {@link PassingError} code `RATE_LIMITED`, or a server that does not
   * answer or is out of order; {@link UnreachableError} code `HTTP_404` or `ANSWER_INVALID`; {@link FailedError} code
   * `HTTP_409`; {@link UnprocessableError}
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

  /**
   * As {@link ask}, for what is asked again and again while a process runs: when nothing changed since the last time,
   * it costs nothing of an authorised caller's rate limit.
   *
   * @param schema has to accept what it made
   */
  async askAgain<Schema extends z.ZodType>(
    request: GitHubRequest,
    schema: Schema,
  ): Promise<GitHubAnswer<z.infer<Schema>>> {
    const known = this.#memory.recall(request);
    const answer = known?.etag === undefined
      ? await this.ask(request, schema)
      : await this.askIfChanged(request, known.etag, schema) ??
        { ...known, data: this.#checked(known.data, schema, request) };
    this.#memory.keep(request, answer);
    return answer;
  }

  /**
   * Page after page of a list, from `firstPage`, until it ends or `pagesMax` pages were handed out.
   *
   * @param options `again`: each page as {@link askAgain} has it
   */
  async *askPages<Schema extends z.ZodType>(
    request: GitHubRequest,
    schema: Schema,
    { firstPage = 1, pagesMax, again = false }: {
      readonly firstPage?: number;
      readonly pagesMax: number;
      readonly again?: boolean;
    },
  ): AsyncGenerator<z.infer<Schema>> {
    for (let page = firstPage; page < firstPage + pagesMax; page++) {
      const paged = { ...request, parameters: { ...request.parameters, page } };
      const { data, hasNext } = again ? await this.askAgain(paged, schema) : await this.ask(paged, schema);
      yield data;
      if (!hasNext) return;
    }
  }

  async #send<Schema extends z.ZodType>(
    request: GitHubRequest,
    headers: Readonly<Record<string, string>>,
    schema: Schema,
  ): Promise<GitHubAnswer<z.infer<Schema>>> {
    const { clock, log, signal } = this.#context;
    for (const pauseMs of NEW_TOKEN_PAUSES_MS) {
      try {
        return await this.#sendOnce(request, headers, schema);
      } catch (error) {
        const isRefused = error instanceof AuthenticationError && error.code === "HTTP_401";
        if (!isRefused || pauseMs === undefined || typeof this.#access.token !== "function") throw error;
        log.debug(`${error.message}; trying again in ${pauseMs / 1000} s`);
        await clock.sleep(pauseMs, signal);
      }
    }
    throw new RangeError("the last pause is none");
  }

  async #sendOnce<Schema extends z.ZodType>(
    request: GitHubRequest,
    headers: Readonly<Record<string, string>>,
    schema: Schema,
  ): Promise<GitHubAnswer<z.infer<Schema>>> {
    const { clock, signal } = this.#context;
    signal.throwIfAborted();
    const token = await currentToken(this.#access.token);
    this.#limited = undefined;
    const fetch = guardedFetch(this.#context, this.#access, token, request, {
      beforeWrite: () => this.#pace.wait(),
      onLimit: (limited) => this.#limited = limited,
    });
    try {
      const response = await this.#octokit.request(request.route, {
        ...request.parameters,
        headers: { "accept": "application/vnd.github+json", "x-github-api-version": API_VERSION, ...headers },
        request: { fetch },
      });
      return {
        data: this.#checked(response.data, schema, request),
        etag: response.headers.etag,
        hasNext: nextLink(response.headers.link) !== undefined,
      };
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (answeredStatus(error) === 304) throw error;
      const secrets = token === undefined ? [] : [token];
      const call = { ...request, host: this.#host, secrets, now: clock.now() };
      throw githubError(error, call, this.#limited);
    }
  }

  get #host(): string {
    return new URL(this.#access.apiUrl).host;
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

  #checked<Schema extends z.ZodType>(data: unknown, schema: Schema, request: GitHubRequest): z.infer<Schema> {
    const result = schema.safeParse(data);
    if (result.success) return result.data;
    const issue = result.error.issues[0];
    const problem = issue === undefined || typeof data !== "object"
      ? "no JSON"
      : [issue.path.join("."), issue.message].filter(Boolean).join(": ");
    throw new UnreachableError(
      `Cannot ${actionOf(request)}: ${this.#host} answered something else than expected (${problem})`,
      {
        code: "ANSWER_INVALID",
        hint: "check GITHUB_API_URL: is this the GitHub server that was meant?",
      },
    );
  }
}
