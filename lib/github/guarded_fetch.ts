import type { Context, Http } from "../core/context.ts";
import { withDeadline } from "../core/deadline.ts";
import { TransientError } from "../core/errors.ts";
import { DEEPLY_NESTED, jsonText, parseJson } from "../core/json.ts";
import { requestedPauseMs } from "../http/requested_pause.ts";
import { bearer, readText, sendRequest } from "../http/request.ts";
import type { HttpRequest } from "../http/request_types.ts";
import { statusError, wasRateLimited } from "../http/status_error.ts";
import { actionOf, answeringHost, networkError } from "../http/network_error.ts";
import { REQUEST_RETRIES, withRetry } from "../core/retry.ts";
import type { Secret } from "../core/secret.ts";
import type { GitHubAccess } from "./github_access.ts";
import { RateLimitError } from "./github_error.ts";
import type { RequestPurpose } from "./github_request.ts";

/** Statuses of temporary failures, apart from rate limits. */
const TRANSIENT_STATUSES = [408, 425, 429, 500, 502, 503, 504];

/** Answers without a body: `Response` refuses one for them. */
const BODILESS_STATUSES = [204, 205, 304];

/** What happens around the requests of a call. */
export interface GuardedFetchEvents {
  /** Waits until a write may be sent. */
  readonly beforeWrite: () => Promise<void>;
  /** Called with the host that sent an answer, which redirects may have led to. */
  readonly onAnswer: (host: string) => void;
}

/**
 * Returns the `fetch` that octokit uses for one call. It sends the token to the API's own origin only, reads an answer
 * whole within a deadline and a size limit, and repeats a request after a passing failure if that does no harm: a
 * read, a repeatable write, and every write that GitHub turned away.
 *
 * @throws (the fetch) {@link RateLimitError}, and what {@link sendRequest} throws
 */
export function guardedFetch(
  context: Context,
  { apiUrl, timeoutMs }: Pick<GitHubAccess, "apiUrl" | "timeoutMs">,
  token: Secret | undefined,
  purpose: RequestPurpose,
  { beforeWrite, onAnswer }: GuardedFetchEvents,
): Http {
  const { what, verb, isRepeatable } = purpose;
  return async (input, init = {}) => {
    const url = input instanceof Request ? input.url : String(input);
    const method = parseMethod(init.method);
    const isRead = method === "GET" || method === "HEAD";
    const request: HttpRequest = {
      url,
      what,
      verb,
      method,
      headers: Object.fromEntries(new Headers(init.headers)),
      credentials: token === undefined ? undefined : bearer(apiUrl, token),
      ...(typeof init.body === "string" ? { body: init.body } : {}),
    };
    const mayRepeat = isRead || isRepeatable === true;
    const attempt = async () => {
      if (!isRead) await beforeWrite();
      const { response, text } = await readWhole(context, request, timeoutMs);
      const host = answeringHost(response, request);
      onAnswer(host);
      const now = context.clock.now();
      const limit = rateLimitOf(response, text);
      if (limit !== undefined) {
        throw new RateLimitError(purpose, {
          host,
          now,
          kind: limit,
          pauseMs: requestedPauseMs(response.headers, now),
        });
      }
      if (isTurnedAway(response, now) || (mayRepeat && isPassing(response))) {
        throw await statusError(context, request, rebuild(response, text));
      }
      return rebuild(response, text);
    };
    // The client waits for rate limits itself: their pauses are longer, and it may wait for fewer of them.
    const isRetried = (error: TransientError) =>
      !(error instanceof RateLimitError) && (mayRepeat || wasRateLimited(error));
    return await withRetry(context, REQUEST_RETRIES, attempt, isRetried);
  };
}

async function readWhole(
  context: Context,
  request: HttpRequest,
  timeoutMs: number,
): Promise<{ response: Response; text: string }> {
  const { host } = new URL(request.url);
  return await withDeadline(
    context,
    timeoutMs,
    () => noAnswer(request, host, timeoutMs),
    async (signal) => {
      const { response } = await sendRequest(context, request, signal);
      try {
        return { response, text: await readText(response, request) };
      } catch (error) {
        throw networkError(error, request, answeringHost(response, request), signal);
      }
    },
  );
}

function noAnswer(request: HttpRequest, host: string, timeoutMs: number): TransientError {
  return new TransientError(
    `Cannot ${actionOf(request)}: no answer from ${host} in ${timeoutMs / 1000} s`,
    {
      code: "TIMEOUT",
      hint: `check the network, and that ${host} is right`,
    },
  );
}

function rebuild(response: Response, text: string): Response {
  const { status, headers } = response;
  const body = response.ok ? text : quotable(text);
  return new Response(BODILESS_STATUSES.includes(status) ? null : body, { status, headers });
}

/** Returns a text that octokit can quote in an error: it stringifies the JSON again, which fails for deep nesting. */
function quotable(text: string): string {
  const value = parseJson(text);
  return value !== undefined && jsonText(value) === DEEPLY_NESTED
    ? JSON.stringify({ message: DEEPLY_NESTED })
    : text;
}

function isPassing({ status }: Response): boolean {
  return TRANSIENT_STATUSES.includes(status);
}

/** Returns whether GitHub asks for a pause that is not a rate limit. */
function isTurnedAway({ status, headers }: Response, now: Date): boolean {
  return status === 429 || (status === 403 && requestedPauseMs(headers, now) !== undefined);
}

/**
 * Returns the kind of rate limit that an answer reports. The primary one shows in a header, the secondary one in the
 * message: https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
 */
function rateLimitOf({ status, headers }: Response, text: string): RateLimitError["kind"] | undefined {
  if (status !== 403 && status !== 429) return undefined;
  if (/\bsecondary rate\b/i.test(text)) return "secondary";
  return headers.get("x-ratelimit-remaining") === "0" ? "primary" : undefined;
}

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] as const;

function parseMethod(text = "GET"): (typeof METHODS)[number] {
  const method = METHODS.find((known) => known === text.toUpperCase());
  if (method === undefined) throw new TypeError(`GitHub's API has no ${text} requests`);
  return method;
}
