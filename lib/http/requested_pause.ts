import { parseRetryAfter } from "../core/retry.ts";

/** Servers round the rest of a window down to whole seconds. */
const ROUNDING_MS = 1_000;

/** A larger number of seconds is a time since 1970 instead of a duration. */
const LENGTH_SEC_MAX = 1_000_000_000;

/**
 * Returns the pause that a server requests before the next request, in milliseconds: `Retry-After`, or the end of the
 * window of an exhausted rate limit. It reads the `RateLimit` field of draft-ietf-httpapi-ratelimit-headers, which the
 * Hugging Face hub sends, the fields of the draft's earlier versions, and GitHub's `x-ratelimit-*`.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { requestedPauseMs } from "./requested_pause.ts";
 * const now = new Date("2026-11-21T00:00:00Z");
 * const asked = (headers: Record<string, string>) => requestedPauseMs(new Headers(headers), now);
 * assert.equal(asked({ "retry-after": "7", ratelimit: '"api";r=0;t=45' }), 7_000);
 * assert.equal(asked({ ratelimit: '"api";r=0;t=45' }), 46_000);
 * assert.equal(asked({ ratelimit: '"api";r=12;t=45' }), undefined);
 * ```
 */
export function requestedPauseMs(headers: Headers, now: Date): number | undefined {
  return parseRetryAfter(headers.get("retry-after"), now) ?? windowEndMs(headers.get("ratelimit") ?? "") ??
    resetMs(headers, "ratelimit-", now) ?? resetMs(headers, "x-ratelimit-", now);
}

/** Returns the longest window of several exhausted limits: `"burst";r=0;t=2, "day";r=0;t=900`. */
function windowEndMs(field: string): number | undefined {
  const isDictionary = /\bremaining\s*=/.test(field);
  const policies = isDictionary ? [field] : field.replaceAll(/"[^"]*"/g, "").split(",");
  const [remaining, reset] = isDictionary ? ["remaining", "reset"] : ["r", "t"];
  const seconds = policies.filter((policy) => numberOf(policy, remaining) === 0)
    .flatMap((policy) => numberOf(policy, reset) ?? []);
  return seconds.length === 0 ? undefined : Math.max(...seconds) * 1000 + ROUNDING_MS;
}

function numberOf(policy: string, name: string): number | undefined {
  const [, digits] = new RegExp(`(?:^|[;,\\s])${name}\\s*=\\s*(\\d{1,12})(?!\\d)`).exec(policy) ?? [];
  return digits === undefined ? undefined : Number(digits);
}

function resetMs(headers: Headers, prefix: string, now: Date): number | undefined {
  if (headers.get(`${prefix}remaining`)?.trim() !== "0") return undefined;
  const text = headers.get(`${prefix}reset`)?.trim() ?? "";
  if (!/^\d{1,12}$/.test(text)) return undefined;
  const seconds = Number(text);
  return seconds > LENGTH_SEC_MAX ? Math.max(0, seconds * 1000 - now.getTime()) : seconds * 1000;
}
