import type { Octokit } from "@octokit/rest";
import type * as z from "zod";
import type { Context } from "../core/context.ts";
import { AuthenticationError, UnreachableError } from "../core/errors.ts";
import { spreadOf } from "../core/retry.ts";
import { actionOf } from "../http/network_error.ts";
import { nextLink } from "../http/next_link.ts";
import { currentToken, type GitHubAccess } from "./github_access.ts";
import { answeredStatus, githubError, RateLimitError } from "./github_error.ts";
import type { GitHubApi, GitHubRequest } from "./github_request.ts";
import { guardedFetch } from "./guarded_fetch.ts";
import { WritePace } from "./writes.ts";

/** An answer whose data passed a schema. */
export interface GitHubAnswer<Data> {
  readonly data: Data;
  /** Names this version of the answer for {@link GitHubClient.sendIfChanged}. It is valid for the same token only. */
  readonly etag: string | undefined;
  /** Whether the list has another page. */
  readonly hasNext: boolean;
}

/** The version of the API: https://docs.github.com/en/rest/about-the-rest-api/api-versions */
const API_VERSION = "2022-11-28";

/** How often one call waits for a rate limit. A token that meets it more often has other users. */
const LIMIT_WAITS_MAX = 2;

/** The longest pause for a rate limit. After a longer one, the next scheduled run is a better time. */
const LIMIT_PAUSE_MS_MAX = 15 * 60_000;

/** The pause that GitHub recommends where an answer names none: a minute, doubled with each attempt. */
const SECONDARY_PAUSE_MS = 60_000;

/** GitHub may refuse a new token for a few seconds, until all of its servers know the token. */
const NEW_TOKEN_PAUSES_MS: readonly (number | undefined)[] = [1_000, 2_000, undefined];

/**
 * Answers to keep for {@link GitHubClient.sendRemembered}: a process asks about two repositories, with a few pages each.
 */
const ANSWERS_MAX = 32;

/** Reads and writes through the REST API of GitHub or of an Enterprise server. Needs net permission. */
export class GitHubClient {
  readonly #context: Context;
  readonly #access: GitHubAccess;
  readonly #api: GitHubApi;
  readonly #pace: WritePace;
  /** The newest answers of {@link sendRemembered} by address, the least recently used first. */
  readonly #answers = new Map<string, GitHubAnswer<unknown>>();

  private constructor(context: Context, access: GitHubAccess, octokit: Octokit) {
    this.#context = context;
    this.#access = access;
    this.#api = octokit.rest;
    this.#pace = new WritePace(context);
  }

  /** Returns a client. Loads octokit only here, so that commands that do not use GitHub start faster. */
  static async open(context: Context, access: GitHubAccess): Promise<GitHubClient> {
    const { Octokit } = await import("@octokit/rest");
    const silent = () => {};
    const octokit = new Octokit({
      baseUrl: access.apiUrl,
      userAgent: "model-sync",
      log: { debug: silent, info: silent, warn: silent, error: silent },
    });
    return new GitHubClient(context, access, octokit);
  }

  /** Returns the address of a request, for a caller that sends it itself. */
  addressOf(request: GitHubRequest, page?: number): string {
    return request.address(this.#api, page);
  }

  /**
   * Sends a request and returns the checked answer. Writes are sent a second apart.
   *
   * @param schema the parts of the answer that the caller needs; everything else is ignored
   * @throws {AuthenticationError} 401 or 403; {@link RateLimitError}; {@link TransientError} when the server does not
   * answer or is out of order; {@link UnreachableError} code `HTTP_404` or `ANSWER_INVALID`; {@link FailedError} code
   * `HTTP_409`; {@link UnprocessableError}
   */
  async send<Schema extends z.ZodType>(
    request: GitHubRequest,
    schema: Schema,
    page?: number,
  ): Promise<GitHubAnswer<z.infer<Schema>>> {
    return await this.#attempt(request, schema, { page }) ?? this.#refuseAnswer(request, "304 Not Modified");
  }

  /**
   * Returns the answer, or `undefined` if it is the one with this ETag. An unchanged answer does not count towards the
   * rate limit of a signed-in caller.
   */
  async sendIfChanged<Schema extends z.ZodType>(
    request: GitHubRequest,
    etag: string,
    schema: Schema,
  ): Promise<GitHubAnswer<z.infer<Schema>> | undefined> {
    return await this.#attempt(request, schema, { etag });
  }

  /**
   * As {@link send}, for a request that this process repeats. The client remembers the newest answers: an unchanged one
   * does not count towards the rate limit of a signed-in caller.
   *
   * @param schema has to accept its own output
   */
  async sendRemembered<Schema extends z.ZodType>(
    request: GitHubRequest,
    schema: Schema,
    page?: number,
  ): Promise<GitHubAnswer<z.infer<Schema>>> {
    const address = this.addressOf(request, page);
    const known = this.#answers.get(address);
    const answer = known?.etag === undefined
      ? await this.send(request, schema, page)
      : await this.#attempt(request, schema, { page, etag: known.etag }) ??
        { ...known, data: this.#checked(known.data, schema, request) };
    // Inserted again, so that the first key of the map is always the one that was used least recently.
    this.#answers.delete(address);
    this.#answers.set(address, answer);
    const [oldest] = this.#answers.keys();
    if (oldest !== undefined && this.#answers.size > ANSWERS_MAX) this.#answers.delete(oldest);
    return answer;
  }

  /**
   * Yields a list page by page from `firstPage`, at most `pagesMax` pages.
   *
   * @param options `remembered`: sends each request with {@link sendRemembered}
   */
  async *pages<Schema extends z.ZodType>(
    request: GitHubRequest,
    schema: Schema,
    { firstPage = 1, pagesMax, remembered = false }: {
      readonly firstPage?: number;
      readonly pagesMax: number;
      readonly remembered?: boolean;
    },
  ): AsyncGenerator<z.infer<Schema>> {
    for (let page = firstPage; page < firstPage + pagesMax; page++) {
      const { data, hasNext } = remembered
        ? await this.sendRemembered(request, schema, page)
        : await this.send(request, schema, page);
      yield data;
      if (!hasNext) return;
    }
  }

  /** Sends a request, and again while GitHub does not know the App's new token yet. */
  async #attempt<Schema extends z.ZodType>(
    request: GitHubRequest,
    schema: Schema,
    condition: Condition,
  ): Promise<GitHubAnswer<z.infer<Schema>> | undefined> {
    const { clock, log, signal } = this.#context;
    for (const pauseMs of NEW_TOKEN_PAUSES_MS) {
      try {
        return await this.#sendWithinLimits(request, schema, condition);
      } catch (error) {
        const isRefused = error instanceof AuthenticationError && error.code === "HTTP_401";
        if (!isRefused || pauseMs === undefined || typeof this.#access.token !== "function") throw error;
        log.debug(`${error.message}; trying again in ${pauseMs / 1000} s`);
        await clock.sleep(pauseMs, signal);
      }
    }
    throw new RangeError("the last pause has to be undefined");
  }

  /** Sends a request, and again after the pause for a rate limit. */
  async #sendWithinLimits<Schema extends z.ZodType>(
    request: GitHubRequest,
    schema: Schema,
    condition: Condition,
  ): Promise<GitHubAnswer<z.infer<Schema>> | undefined> {
    for (let waits = 0;; waits++) {
      try {
        return await this.#sendOnce(request, schema, condition);
      } catch (error) {
        if (!(error instanceof RateLimitError) || waits >= LIMIT_WAITS_MAX) throw error;
        await this.#waitForLimit(error, waits);
      }
    }
  }

  /** @returns `undefined` if the answer is the one that the condition names */
  async #sendOnce<Schema extends z.ZodType>(
    request: GitHubRequest,
    schema: Schema,
    { page, etag }: Condition,
  ): Promise<GitHubAnswer<z.infer<Schema>> | undefined> {
    const { log, signal } = this.#context;
    signal.throwIfAborted();
    const token = await currentToken(this.#access.token);
    let host = this.#host;
    const fetch = guardedFetch(this.#context, this.#access, token, request, {
      beforeWrite: () => this.#pace.wait(),
      onAnswer: (answering) => host = answering,
    });
    try {
      const { data, headers } = await request.send(this.#api, {
        page,
        headers: {
          "accept": "application/vnd.github+json",
          "x-github-api-version": API_VERSION,
          ...(etag === undefined ? {} : { "if-none-match": etag }),
        },
        request: { fetch, log: { warn: (message: string) => log.debug(message) } },
      });
      return {
        data: this.#checked(data, schema, request, host),
        etag: headers.etag,
        hasNext: nextLink(headers.link) !== undefined,
      };
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (answeredStatus(error) === 304) return undefined;
      throw githubError(error, { ...request, host, secrets: token === undefined ? [] : [token] });
    }
  }

  /** Waits until a rate limit is over. @throws the error itself if that takes too long */
  async #waitForLimit(error: RateLimitError, waits: number): Promise<void> {
    const { clock, log, signal } = this.#context;
    const pauseMs = error.retryAfterMs ?? SECONDARY_PAUSE_MS * 2 ** waits;
    if (pauseMs > LIMIT_PAUSE_MS_MAX) throw error;
    // One second more, because GitHub's clock may be behind ours. All clients with this token wait for the same moment.
    const spreadMs = pauseMs + 1000 + Math.random() * spreadOf(pauseMs);
    log.warn(`GitHub's ${error.kind} rate limit is reached; going on in ${Math.ceil(spreadMs / 1000)} s`);
    await clock.sleep(spreadMs, signal);
  }

  get #host(): string {
    return new URL(this.#access.apiUrl).host;
  }

  /** @param host which sent the data */
  #checked<Schema extends z.ZodType>(
    data: unknown,
    schema: Schema,
    request: GitHubRequest,
    host = this.#host,
  ): z.infer<Schema> {
    const result = schema.safeParse(data);
    if (result.success) return result.data;
    const issue = result.error.issues[0];
    return this.#refuseAnswer(
      request,
      issue === undefined || typeof data !== "object"
        ? "not JSON"
        : [issue.path.join("."), issue.message].filter(Boolean).join(": "),
      host,
    );
  }

  #refuseAnswer(request: GitHubRequest, problem: string, host = this.#host): never {
    throw new UnreachableError(
      `Cannot ${actionOf(request)}: ${host} sent an unexpected answer (${problem})`,
      {
        code: "ANSWER_INVALID",
        hint: "check GITHUB_API_URL: it has to be the GitHub server's API",
      },
    );
  }
}

/** Which page of a list to request, and the ETag of the answer that is known already. */
interface Condition {
  readonly page?: number | undefined;
  readonly etag?: string;
}
