import { cleanLine } from "../core/clean_text.ts";
import type { Context } from "../core/context.ts";
import { AuthenticationError, TransientError, UnreachableError } from "../core/errors.ts";
import { formatDuration } from "../core/format.ts";
import { requestedPauseMs } from "./requested_pause.ts";
import { actionOf, answeringHost } from "./network_error.ts";
import type { HttpRequest } from "./request_types.ts";

/** The part of a failed answer's body that a message quotes. */
const QUOTED_CHARS_MAX = 500;

/** More is read than quoted, so that a secret is complete when it is redacted. */
const READ_CHARS_MAX = 16 * 1024;

/** Temporary statuses. From 520 on, they are Cloudflare's, which many servers use. */
const TRANSIENT_STATUSES = [408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524];

/** GitHub's documented pause for a secondary rate limit without a stated one: "Rate limits for the REST API". */
const SECONDARY_PAUSE_MS = 60_000;

/**
 * Returns the error for a failed answer, whose body is read for the message. 401 and 403: {@link AuthenticationError}.
 * Overload and server errors: {@link TransientError} with the requested pause. Everything else: {@link UnreachableError}
 * with the code `HTTP_<status>`.
 */
export async function statusError(
  { clock }: Pick<Context, "clock">,
  request: HttpRequest,
  response: Response,
): Promise<AuthenticationError | UnreachableError> {
  const { status } = response;
  const host = answeringHost(response, request);
  const said = await quoteBody(response, request);
  const message = `Cannot ${actionOf(request)}: ${host} answered ${status}${said}`;
  const retryAfterMs = requestedPauseMs(response.headers, clock.now()) ??
    (/\bsecondary rate limit\b/i.test(said) ? SECONDARY_PAUSE_MS : undefined);
  if (TRANSIENT_STATUSES.includes(status) || (status === 403 && retryAfterMs !== undefined)) {
    return new TransientError(message, {
      code: `HTTP_${status}`,
      retryAfterMs,
      hint: againHint(retryAfterMs),
    });
  }
  // Only proxies send this status (RFC 9110, 15.5.8).
  if (status === 407) {
    return new UnreachableError(
      `Cannot ${actionOf(request)}: the proxy in front of ${host} asks for a user and a password (407)`,
      { code: "PROXY_REFUSED", hint: "put them into HTTP_PROXY as USER:PASSWORD@ before the proxy's name" },
    );
  }
  if (status === 401 || status === 403) {
    return new AuthenticationError(message, {
      code: `HTTP_${status}`,
      hint: "check the token and its permissions",
    });
  }
  return new UnreachableError(message, {
    code: `HTTP_${status}`,
    hint: "check the address and the names in it",
  });
}

/** The hint if the requested pause is longer than a run waits. */
function againHint(retryAfterMs: number | undefined): string {
  if (retryAfterMs === undefined || retryAfterMs < 1000) return "run again later";
  return `run again in ${formatDuration(retryAfterMs)}`;
}

/**
 * Returns whether a server rejected a request before it processed it: 429, or 403 with a pause. Even a request that
 * changes something may be repeated.
 */
export function wasRateLimited(error: unknown): error is TransientError {
  return error instanceof TransientError && (error.code === "HTTP_429" || error.code === "HTTP_403");
}

async function quoteBody(response: Response, { credentials, secrets = [] }: HttpRequest): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  try {
    for await (const piece of response.body ?? []) {
      text += decoder.decode(piece, { stream: true });
      if (text.length > READ_CHARS_MAX) break;
    }
  } catch {
    // The status alone is enough for the message.
  }
  const hidden = [...Object.values(credentials?.headers ?? {}), ...secrets];
  const isPage = /^\s*<(?:!doctype|html)/i.test(text);
  const quoted = isPage ? "an HTML page" : cleanLine(text, { charsMax: QUOTED_CHARS_MAX, secrets: hidden });
  return quoted === "" ? "" : `: ${quoted}`;
}
