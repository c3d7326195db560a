import { parseRetryAfter } from "../core/retry.ts";

/**
 * Variables with which git prints the heads of requests and answers to standard error. Its messages have the status of
 * an answer, but not its `Retry-After`.
 */
export const HTTP_TRACE = { GIT_TRACE_CURL: "1", GIT_TRACE_CURL_NO_DATA: "1", GIT_TRACE_REDACT: "1" };

/** A line of the trace: time, place in git's source, text. Git prefixes every line. */
const TRACE_LINE = /^\d\d:\d\d:\d\d\.\d+ http\.c:\d+ .*(?:\r?\n|$)/gm;

const RETRY_AFTER = /<= Recv header: retry-after: ([^\r\n]+)/i;

/** Git's standard error without its trace, and what the trace says. */
export interface TracedOutput {
  readonly stderr: string;
  /** The last pause that a server requested, in milliseconds. */
  readonly retryAfterMs: number | undefined;
}

/**
 * Separates git's trace from its messages.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { withoutTrace } from "./http_trace.ts";
 * const text = "06:00:01.234567 http.c:703              <= Recv header: Retry-After: 7\nfatal: no\n";
 * assert.deepEqual(withoutTrace(text, new Date()), { stderr: "fatal: no\n", retryAfterMs: 7_000 });
 * ```
 */
export function withoutTrace(stderr: string, now: Date): TracedOutput {
  const lines = stderr.match(TRACE_LINE) ?? [];
  const asked = lines.map((line) => RETRY_AFTER.exec(line)?.[1]).findLast((value) => value !== undefined);
  return {
    stderr: lines.length === 0 ? stderr : stderr.replace(TRACE_LINE, ""),
    retryAfterMs: parseRetryAfter(asked?.trim() ?? null, now),
  };
}
