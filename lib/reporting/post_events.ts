import { type ModelSyncError, UnreachableError } from "../core/errors.ts";
import { bearer, exchange, readBody } from "../http/request.ts";
import type { HttpContext, HttpRequest } from "../http/request_types.ts";
import { statusError } from "../http/status_error.ts";
import { parseJson } from "../core/json.ts";
import { redactUrls } from "../core/secret.ts";
import type { Receiver } from "./receiver.ts";
import { BATCH_CONTENT_TYPE } from "../wire/event_names.ts";

/** The largest response: a dashboard returns a few counts. */
const ANSWER_BYTES_MAX = 64 * 1024;

/** The error code for a batch that is too large for the dashboard. */
export const TOO_LARGE = "HTTP_413";

/**
 * Posts a batch of events, once. It is delivered when the address itself answers 2xx with JSON or an empty body. A
 * page, such as a login or a captive portal, and a redirect are failures. No redirect is followed.
 *
 * @param events each as JSON
 * @throws {ModelSyncError} with a hint; `TransientError` with the pause of `Retry-After`
 */
export async function postEvents(
  context: HttpContext,
  receiver: Receiver,
  events: readonly string[],
  timeoutMs: number,
): Promise<void> {
  const { url, token } = receiver;
  const request: HttpRequest & { readonly timeoutMs: number } = {
    verb: "send",
    what: "reports",
    url,
    method: "POST",
    headers: { "content-type": BATCH_CONTENT_TYPE, accept: "application/json" },
    credentials: token === undefined ? undefined : bearer(url, token),
    body: `[${events.join(",")}]`,
    redirects: "refuse",
    timeoutMs,
  };
  await exchange(context, request, async (response) => {
    if (response.status >= 300 && response.status < 400) throw await redirected(request, response);
    if (!response.ok) throw withAdvice(await statusError(context, request, response), receiver);
    await checkAnswer(request, response);
  });
}

async function checkAnswer(request: HttpRequest, response: Response): Promise<void> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const piece of readBody(response, request, ANSWER_BYTES_MAX)) {
    text += decoder.decode(piece, { stream: true });
  }
  if (text.trim() === "" || parseJson(text) !== undefined) return;
  const { host } = new URL(request.url);
  throw new UnreachableError(
    `Cannot send reports: ${host} answered ${response.status}, but not with the JSON of a dashboard`,
    {
      code: "ANSWER_INVALID",
      hint: "check report.url: a login page or a proxy may answer in the dashboard's place",
    },
  );
}

async function redirected(request: HttpRequest, response: Response): Promise<UnreachableError> {
  await response.body?.cancel();
  const { host } = new URL(request.url);
  const target = redactUrls(response.headers.get("location") ?? "an unknown address");
  return new UnreachableError(`Cannot send reports: ${host} redirects to ${target}`, {
    code: "REDIRECTED",
    hint: "set report.url to that address if it is the dashboard; reports do not follow redirects",
  });
}

/** Adds a hint for the statuses of a dashboard. */
function withAdvice<Failure extends ModelSyncError>(
  error: Failure,
  { token, tokenVariable }: Receiver,
): Failure {
  if (error.code === "HTTP_401" || error.code === "HTTP_403") {
    error.reviseHint(
      token === undefined
        ? `set ${tokenVariable} to this node's token`
        : `check ${tokenVariable}: the dashboard refuses this token, or refuses it for this node (report.node)`,
    );
  }
  if (error.code === "HTTP_404") error.reviseHint("check report.url: no dashboard is at this address");
  return error;
}
