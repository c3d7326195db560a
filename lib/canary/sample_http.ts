import type { CanaryMetric } from "../config/sections/canary.ts";
import type { Context } from "../core/context.ts";
import { bearer, exchange, readBody } from "../http/request.ts";
import type { HttpRequest } from "../http/request_types.ts";
import { statusError } from "../http/status_error.ts";
import { requireToken } from "../core/read_secret.ts";
import { type Reading, readJsonNumber } from "./reading.ts";

/** The largest answer. Statistics are some kilobytes; Prometheus returns one number in 200 bytes. */
export const ANSWER_BYTES_MAX = 1024 * 1024;

/**
 * Returns the number in the response of an address. Needs the net permission.
 *
 * @throws the errors of {@link exchange} and {@link statusError}
 */
export async function sampleHttp(
  context: Context,
  metric: CanaryMetric & { readonly type: "http" },
  timeoutMs: number,
): Promise<Reading> {
  return readJsonNumber(await fetchText(context, metric, metric.url, timeoutMs), metric.path);
}

/** Returns the response of an address as text. The request carries the metric's token. */
export async function fetchText(
  context: Context,
  metric: CanaryMetric & { readonly type: "http" | "prometheus" },
  url: string,
  timeoutMs: number,
): Promise<string> {
  const token = metric.token_env === undefined ? undefined : requireToken(context.env, metric.token_env, {
    failure: "Cannot sample a metric: ",
    content: " with the token",
  });
  const request: HttpRequest & { readonly timeoutMs: number } = {
    url,
    headers: { accept: "application/json", "cache-control": "no-cache" },
    credentials: token === undefined ? undefined : bearer(url, token),
    what: `the metric ${metric.name}`,
    timeoutMs,
  };
  return await exchange(context, request, async (response) => {
    if (!response.ok) throw await statusError(context, request, response);
    const decoder = new TextDecoder();
    let text = "";
    for await (const piece of readBody(response, request, ANSWER_BYTES_MAX)) {
      text += decoder.decode(piece, { stream: true });
    }
    return text + decoder.decode();
  });
}
