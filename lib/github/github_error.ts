import * as z from "zod";
import { cleanLine } from "../core/clean_text.ts";
import { isoSeconds } from "../core/clock.ts";
import {
  AuthenticationError,
  FailedError,
  ModelSyncError,
  TransientError,
  UnreachableError,
} from "../core/errors.ts";
import { actionOf } from "../http/network_error.ts";
import type { Secret } from "../core/secret.ts";
import type { RequestPurpose } from "./github_request.ts";

/** The error that octokit throws for a failed answer. If the fetch threw, `cause` is the error that it threw. */
const RequestFailure = z.object({
  status: z.number(),
  message: z.string(),
  cause: z.unknown(),
  response: z.object({ data: z.unknown().optional() }).optional(),
});

/** One of GitHub's reasons for a 422: a message, or a field and a code. */
const Complaint = z.object({ message: z.string(), field: z.string(), code: z.string() }).partial();
const Complaints = z.object({
  message: z.string(),
  errors: z.array(z.union([z.string(), Complaint])).default([]),
});

/** GitHub refuses a request that it understood: 422. */
export class UnprocessableError extends FailedError {
  /** GitHub's reasons: `A pull request already exists for you:branch.`, or `head invalid`. */
  readonly reasons: readonly string[];

  constructor(message: string, reasons: readonly string[]) {
    super(message, { code: "HTTP_422", hint: "the message in parentheses is GitHub's reason" });
    this.reasons = reasons;
  }
}

/** GitHub refuses requests until a rate limit is over. The request was not processed. */
export class RateLimitError extends TransientError {
  readonly kind: "primary" | "secondary";

  /** @param pauseMs the pause that GitHub asks for; `undefined` where it names none */
  constructor(
    purpose: RequestPurpose,
    { host, now, kind, pauseMs }: {
      readonly host: string;
      readonly now: Date;
      readonly kind: "primary" | "secondary";
      readonly pauseMs: number | undefined;
    },
  ) {
    const until = pauseMs === undefined ? "" : ` until ${isoSeconds(new Date(now.getTime() + pauseMs))}`;
    const limit = kind === "primary" ? "rate limit" : "secondary rate limit";
    super(`Cannot ${actionOf(purpose)}: the ${limit} of ${host} is used up${until}`, {
      code: "RATE_LIMITED",
      retryAfterMs: pauseMs,
      hint: "run again after that, or less often; a separate token has its own rate limit",
    });
    this.kind = kind;
  }
}

/** A failed request, as its error message describes it. */
interface FailedRequest extends RequestPurpose {
  readonly host: string;
  /** Replaced by `[redacted]` if GitHub's message repeats them. */
  readonly secrets: readonly Secret[];
}

/** How much of GitHub's message ours quotes. */
const QUOTED_CHARS_MAX = 300;

/** Returns the status of the answer that octokit turned into an error; 304 is one, too. */
export function answeredStatus(error: unknown): number | undefined {
  const failure = RequestFailure.safeParse(error);
  return failure.success && failure.data.cause === undefined ? failure.data.status : undefined;
}

/** Returns our error for what octokit threw; the cause, where our own fetch threw first. */
export function githubError(error: unknown, call: FailedRequest): unknown {
  const parsed = RequestFailure.safeParse(error);
  if (!parsed.success || error instanceof ModelSyncError) return error;
  const { status, message, cause, response } = parsed.data;
  if (cause !== undefined) return cause;
  const { needs, host, secrets } = call;
  const reasons = status === 422 ? complaintsOf(response?.data) : [];
  const words = reasons.length === 0 ? message : reasons.join("; ");
  const said = cleanLine(words, { charsMax: QUOTED_CHARS_MAX, secrets });
  const text = `Cannot ${actionOf(call)}: ${host} answered ${status} (${said})`;
  const code = `HTTP_${status}`;
  switch (status) {
    case 401:
      return new AuthenticationError(text, {
        code,
        hint: `the token is wrong, expired or revoked; create one with the permission ${needs}`,
      });
    case 403:
      return new AuthenticationError(text, {
        code,
        hint:
          `give the token the permission ${needs}, and authorise it for the organisation if SSO requires that`,
      });
    case 404:
      return new UnreachableError(text, {
        code,
        hint: `check the names, and that the token has access to the repository and the permission ${needs}`,
      });
    case 422:
      return new UnprocessableError(text, reasons);
    case 409:
      return new FailedError(text, { code, hint: "the message in parentheses is GitHub's reason" });
    default:
      return status >= 500 || status === 429
        ? new TransientError(text, {
          code,
          hint: "run again later; https://www.githubstatus.com shows outages",
        })
        : new UnreachableError(text, {
          code,
          hint: `check that ${host} is your GitHub server`,
        });
  }
}

/** Returns GitHub's reasons for a 422, the general message first. */
function complaintsOf(data: unknown): readonly string[] {
  const parsed = Complaints.safeParse(data);
  if (!parsed.success) return [];
  const { message, errors } = parsed.data;
  const details = errors.map((error) =>
    typeof error === "string" ? error : error.message ?? [error.field, error.code].filter(Boolean).join(" ")
  );
  return [message, ...details];
}
