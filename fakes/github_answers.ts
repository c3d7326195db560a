import type { Clock } from "../lib/core/clock.ts";
import { sha256Hex } from "../lib/core/hash.ts";

/** A fault in place of the next correct answer. */
export type ApiFault = (request: Request) => Response;

/** The primary rate limit is exceeded; it resets after this many seconds. */
export function primaryLimit(clock: Clock, resetInSec: number): ApiFault {
  return () => {
    const headers = rateHeaders(0, clock, resetInSec);
    return problem(403, "API rate limit exceeded for user ID 1.", headers);
  };
}

/** The secondary rate limit. GitHub sends the time to wait, or not. */
export function secondaryLimit(status: 403 | 429, retryAfterSec?: number): ApiFault {
  return () =>
    problem(
      status,
      "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
      retryAfterSec === undefined ? {} : { "retry-after": String(retryAfterSec) },
    );
}

/** An error in GitHub's format. */
export function problem(
  status: number,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return Response.json({ message, documentation_url: "https://docs.github.com/rest" }, { status, headers });
}

/**
 * Returns a page of a list with its ETag, or 304 if the caller has it.
 *
 * @param asker the caller; GitHub's ETags are valid for one
 * @param wrap gives the answer its format
 */
export async function answerPage(
  request: Request,
  items: readonly unknown[],
  { asker, headers: given, wrap }: {
    readonly asker: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly wrap: (page: readonly unknown[]) => unknown;
  },
): Promise<Response> {
  const url = new URL(request.url);
  const perPage = Number(url.searchParams.get("per_page") ?? 30);
  const page = Number(url.searchParams.get("page") ?? 1);
  const text = JSON.stringify(wrap(items.slice((page - 1) * perPage, page * perPage)));
  const etag = `W/"${await sha256Hex(`${asker} ${url} ${text}`)}"`;
  const headers = new Headers({ etag, ...given });
  if (request.headers.get("if-none-match") === etag) return new Response(null, { status: 304, headers });
  headers.set("content-type", "application/json; charset=utf-8");
  if (page * perPage < items.length) {
    const next = new URL(url);
    next.searchParams.set("page", String(page + 1));
    headers.set("link", `<${next}>; rel="next", <${next}>; rel="last"`);
  }
  return new Response(text, { headers });
}

/** The headers about the rate limit of every answer. */
export function rateHeaders(remaining: number, clock: Clock, resetInSec = 3600): Record<string, string> {
  return {
    "x-ratelimit-limit": "5000",
    "x-ratelimit-remaining": String(remaining),
    "x-ratelimit-reset": String(Math.ceil(clock.now().getTime() / 1000) + resetInSec),
    "x-ratelimit-resource": "core",
  };
}
