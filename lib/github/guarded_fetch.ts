import type { Context } from "../core/context.ts";
import { withDeadline } from "../core/deadline.ts";
import { PassingError } from "../core/errors.ts";
import { askedPauseMs } from "../core/asked_pause.ts";
import {
  bearer,
  type Http,
  type HttpRequest,
  readText,
  sendRequest,
  statusError,
  wasTurnedAway,
} from "../core/http.ts";
import { DEEPLY_NESTED, jsonText } from "../core/json_text.ts";
import { actionOf, networkError } from "../core/network_error.ts";
import { REQUEST_RETRIES, withRetry } from "../core/retry.ts";
import type { Secret } from "../core/secret.ts";
import type { GitHubAccess } from "./github_access.ts";
import type { GitHubRequest } from "./github_client.ts";

/** GitHub asks for a pause. */
export interface RateLimited {
  readonly kind: "primary" | "secondary";
  /** `undefined` where GitHub names none. */
  readonly pauseMs: number | undefined;
}

/** What happens around the requests of a call. */
export interface FetchHooks {
  /** Waits until a write may be sent. */
  readonly beforeWrite: () => Promise<void>;
  /** Told before octokit sees the answer. */
  readonly onLimit: (limited: RateLimited) => void;
}

/** Statuses that a later attempt may not meet again, rate limits apart. */
const PASSING_STATUSES = [408, 425, 429, 500, 502, 503, 504];

/** Answers that have no body, of which `Response` makes sure. */
const BODILESS_STATUSES = [204, 205, 304];

/**
 * The `fetch` that octokit gets for one call: the token goes to the API's own origin alone, an answer is read whole
 * within its deadline and its bound, and what passes is tried again where repeating does no harm: a write, too, that
 * GitHub turned away. A rate limit is handed on, for octokit to decide about.
 */
export function guardedFetch(
  context: Context,
  { apiUrl, timeoutMs }: Pick<GitHubAccess, "apiUrl" | "timeoutMs">,
  token: Secret | undefined,
  { what, verb, isRepeatable }: Pick<GitHubRequest, "what" | "verb" | "isRepeatable">,
  { beforeWrite, onLimit }: FetchHooks,
): Http {
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
      const limited = rateLimitOf(response, text, context.clock.now());
      if (limited !== undefined) onLimit(limited);
      else if (isTurnedAway(response, context.clock.now()) || (mayRepeat && isPassing(response))) {
        throw await statusError(context, request, rebuild(response, text));
      }
      return rebuild(response, text);
    };
    return await withRetry(context, REQUEST_RETRIES, attempt, mayRepeat ? undefined : wasTurnedAway);
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
        throw networkError(error, request, host, signal);
      }
    },
  );
}

function noAnswer(request: HttpRequest, host: string, timeoutMs: number): PassingError {
  return new PassingError(
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

/** Octokit quotes a failed answer by writing it as JSON, which not every JSON can be. */
function quotable(text: string): string {
  try {
    return jsonText(JSON.parse(text)) === DEEPLY_NESTED ? JSON.stringify({ message: DEEPLY_NESTED }) : text;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return text;
  }
}

function isPassing({ status }: Response): boolean {
  return PASSING_STATUSES.includes(status);
}

/** GitHub asks for a pause without calling it a rate limit. */
function isTurnedAway({ status, headers }: Response, now: Date): boolean {
  return status === 429 || (status === 403 && askedPauseMs(headers, now) !== undefined);
}

/** What octokit's throttling takes for a rate limit: the primary one by its header, the secondary one by its words. */
function rateLimitOf({ status, headers }: Response, text: string, now: Date): RateLimited | undefined {
  if (status !== 403 && status !== 429) return undefined;
  const pauseMs = askedPauseMs(headers, now);
  if (/\bsecondary rate\b/i.test(text)) return { kind: "secondary", pauseMs };
  return headers.get("x-ratelimit-remaining") === "0" ? { kind: "primary", pauseMs } : undefined;
}

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] as const;

function parseMethod(text = "GET"): (typeof METHODS)[number] {
  const method = METHODS.find((known) => known === text.toUpperCase());
  if (method === undefined) throw new TypeError(`GitHub's API has no ${text} requests`);
  return method;
}
