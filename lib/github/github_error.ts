import { z } from "zod";
import { isoSeconds } from "../core/clock.ts";
import {
  AuthenticationError,
  FailedError,
  ModelSyncError,
  PassingError,
  UnreachableError,
} from "../core/errors.ts";
import { oneLine } from "../core/quote.ts";
import { redact, type Secret } from "../core/secret.ts";
import type { RateLimited } from "./guarded_fetch.ts";

/** What octokit throws: an answer that is no success, or what the fetch threw as its cause. */
const RequestFailure = z.object({ status: z.number(), message: z.string(), cause: z.unknown() });

/** What a call was about, for its errors. */
export interface GitHubCall {
  /** `the runs of train.yml in you/bot`. */
  readonly what: string;
  /** The permission that a token needs for it: `actions:read`. */
  readonly needs: string;
  readonly host: string;
  readonly now: Date;
  /** Blanked out, should GitHub's words repeat them. */
  readonly secrets: readonly Secret[];
}

/** As much of GitHub's own words as a message quotes. */
const QUOTED_CHARS_MAX = 300;

/** The status of a failed call, where it was answered; 304 is one, too. */
export function answeredStatus(error: unknown): number | undefined {
  const failure = RequestFailure.safeParse(error);
  return failure.success && failure.data.cause === undefined ? failure.data.status : undefined;
}

/**
 * The error of ours that a failed call stands for.
 *
 * @param limited the rate limit that was met last, if it was this call that met it
 */
export function githubError(error: unknown, call: GitHubCall, limited: RateLimited | undefined): unknown {
  const parsed = RequestFailure.safeParse(error);
  if (!parsed.success || error instanceof ModelSyncError) return error;
  const { status, message, cause } = parsed.data;
  if (cause !== undefined) return cause;
  if (limited !== undefined && (status === 403 || status === 429)) return limitError(call, limited);
  const { what, needs, host, secrets } = call;
  const said = oneLine(redact(message, secrets)).slice(0, QUOTED_CHARS_MAX);
  const text = `Cannot read ${what}: ${host} answered ${status} (${said})`;
  const code = `HTTP_${status}`;
  switch (status) {
    case 401:
      return new AuthenticationError(text, {
        code,
        hint: `the token is wrong, expired or revoked; make one with the permission ${needs}`,
      });
    case 403:
      return new AuthenticationError(text, {
        code,
        hint:
          `give the token the permission ${needs}, and authorise it for the organisation if that asks for it`,
      });
    case 404:
      return new UnreachableError(text, {
        code,
        hint: `check the names, and that the token sees the repository: it needs the permission ${needs}`,
      });
    case 409:
    case 422:
      return new FailedError(text, { code, hint: "GitHub says what it does not like about the request" });
    default:
      return status >= 500 || status === 429
        ? new PassingError(text, {
          code,
          hint: "run again later; https://www.githubstatus.com says what is down",
        })
        : new UnreachableError(text, {
          code,
          hint: `check that ${host} is the GitHub server that was meant`,
        });
  }
}

function limitError({ what, host, now }: GitHubCall, { kind, pauseMs }: RateLimited): PassingError {
  const until = pauseMs === undefined ? "" : ` until ${isoSeconds(new Date(now.getTime() + pauseMs))}`;
  return new PassingError(
    `Cannot read ${what}: the ${
      kind === "primary" ? "" : "secondary "
    }rate limit of ${host} is used up${until}`,
    {
      code: "RATE_LIMITED",
      retryAfterMs: pauseMs,
      hint: "run again after that, or ask less often: a token of its own has a limit of its own",
    },
  );
}
