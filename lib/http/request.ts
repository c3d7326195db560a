import type { Credentials, HttpContext, HttpRequest, NamedRequest } from "./request_types.ts";
import { statusError } from "./status_error.ts";
import type * as z from "zod";
import type { Http } from "../core/context.ts";
import { parseJson } from "../core/json.ts";
import { withDeadline } from "../core/deadline.ts";
import { AuthenticationError, RefusedError, TransientError, UnreachableError } from "../core/errors.ts";
import { actionOf, answeringHost, networkError } from "./network_error.ts";
import { redactUrls, type Secret } from "../core/secret.ts";

/** Returns credentials for the origin of `url` in an `Authorization` header. */
export function bearer(url: string, token: Secret): Credentials {
  return { origin: new URL(url).origin, headers: { authorization: token.map((value) => `Bearer ${value}`) } };
}

export interface HttpAnswer {
  readonly response: Response;
  /** Whether redirects led to another origin. */
  readonly crossedOrigin: boolean;
}

/** Signed storage is one redirect, a renamed repository a second one. More is a loop. */
const REDIRECTS_MAX = 5;

/** The largest JSON answers are pages of 100 workflow runs, under 2 MB. */
const BODY_BYTES_MAX = 16 * 1024 * 1024;

/**
 * Returns the answer to a request, after redirects. Credentials are sent to their own origin only. Any status is an
 * answer. The caller reads or cancels the body.
 *
 * @throws {TransientError} if there is no answer; {@link RefusedError} code `REDIRECT_REFUSED` for an unsafe redirect;
 * the signal's reason
 */
export async function sendRequest(
  { http }: Pick<HttpContext, "http">,
  request: HttpRequest,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  const first = parseUrl(request);
  const { body: content, ...bodiless } = request;
  let url = first;
  let [method, body] = [request.method ?? "GET", content];
  for (let hops = 0; hops <= REDIRECTS_MAX; hops++) {
    const response = await fetchOnce(http, url, {
      ...bodiless,
      method,
      ...(body === undefined ? {} : { body }),
    }, signal);
    const target = request.redirects === "refuse" ? undefined : redirectTarget(response, url);
    if (target === undefined) return { response, crossedOrigin: url.origin !== first.origin };
    await response.body?.cancel();
    if (becomesGet(response.status, method)) [method, body] = ["GET", undefined];
    refuseUnsafeRedirect(request, url, target, body !== undefined);
    url = target;
  }
  throw new RefusedError(
    `Cannot ${actionOf(request)}: ${first.host} redirects more than ${REDIRECTS_MAX} times`,
    {
      code: "REDIRECT_REFUSED",
      hint: "check the address",
    },
  );
}

/** A complete answer of an API. */
export interface JsonAnswer<Data> {
  readonly status: number;
  readonly headers: Headers;
  readonly data: Data;
}

/**
 * Returns the validated JSON answer of an API. It makes one attempt; wrap it in `withRetry` if the request may be
 * repeated.
 *
 * @param schema the needed part of the answer. Other members are ignored.
 * @throws {TransientError} no answer in time, or a temporary status; the errors of {@link statusError}; {@link
 * UnreachableError} code `ANSWER_INVALID` if the answer does not fit the schema
 */
export async function requestJson<Schema extends z.ZodType>(
  context: HttpContext,
  request: HttpRequest & { readonly timeoutMs: number },
  schema: Schema,
): Promise<JsonAnswer<z.infer<Schema>>> {
  return await exchange(context, request, async (response) => {
    if (!response.ok) throw await statusError(context, request, response);
    const json = parseJson(await readText(response, request));
    const result = schema.safeParse(json);
    if (result.success) return { status: response.status, headers: response.headers, data: result.data };
    const issue = result.error.issues[0];
    throw new UnreachableError(
      `Cannot ${actionOf(request)}: ${answeringHost(response, request)} sent an unexpected answer (${
        issue === undefined || json === undefined
          ? "not JSON"
          : [issue.path.join("."), issue.message].filter(Boolean).join(": ")
      })`,
      { code: "ANSWER_INVALID", hint: "check that the address is the right server's" },
    );
  });
}

/**
 * Sends a request and returns what `read` makes of its answer, both within one deadline. `read` reads or cancels the
 * body.
 *
 * @throws {TransientError} no answer in time; what {@link sendRequest} and `read` throw
 */
export async function exchange<Result>(
  context: HttpContext,
  request: HttpRequest & { readonly timeoutMs: number },
  read: (response: Response) => Promise<Result>,
): Promise<Result> {
  const host = parseUrl(request).host;
  return await withDeadline(context, request.timeoutMs, () => noAnswer(request, host), async (signal) => {
    const { response } = await sendRequest(context, request, signal);
    return await read(response);
  });
}

/** Returns a body as text, up to 16 MiB. @throws {UnreachableError} code `ANSWER_TOO_LARGE`; {@link TransientError} */
export async function readText(
  response: Response,
  request: NamedRequest & Pick<HttpRequest, "url">,
): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const piece of readBody(response, request, BODY_BYTES_MAX)) {
    text += decoder.decode(piece, { stream: true });
  }
  return text + decoder.decode();
}

/**
 * Yields the pieces of a body, up to a bound. @throws {UnreachableError} code `ANSWER_TOO_LARGE`; {@link TransientError}
 */
export async function* readBody(
  response: Response,
  request: NamedRequest & Pick<HttpRequest, "url">,
  bytesMax: number,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  try {
    for await (const piece of response.body ?? []) {
      bytes += piece.length;
      if (bytes > bytesMax) {
        throw new UnreachableError(
          `Cannot ${actionOf(request)}: the answer is longer than ${bytesMax} bytes`,
          { code: "ANSWER_TOO_LARGE", hint: "check that the address is the right server's" },
        );
      }
      yield piece;
    }
  } catch (error) {
    throw networkError(error, request, answeringHost(response, request));
  }
}

async function fetchOnce(
  http: Http,
  url: URL,
  request: HttpRequest & { readonly method: string },
  signal: AbortSignal,
): Promise<Response> {
  const headers = new Headers({ "user-agent": "model-sync", ...request.headers });
  if (request.credentials?.origin === url.origin) {
    for (const [name, value] of Object.entries(request.credentials.headers)) {
      setSecret(headers, name, value, request);
    }
  }
  try {
    return await http(url, {
      method: request.method,
      headers,
      redirect: "manual",
      signal,
      ...(request.body === undefined ? {} : { body: request.body }),
    });
  } catch (error) {
    throw networkError(error, request, url.host, signal);
  }
}

/** Sets a header. The runtime's own error would show the secret. @throws {AuthenticationError} code `TOKEN_INVALID` */
function setSecret(headers: Headers, name: string, value: Secret, request: NamedRequest): void {
  try {
    headers.set(name, value.reveal());
  } catch {
    throw new AuthenticationError(
      `Cannot ${actionOf(request)}: the value for the header ${name} has invalid characters`,
      {
        code: "TOKEN_INVALID",
        hint: "check the token for line breaks and other invalid characters",
      },
    );
  }
}

function redirectTarget(response: Response, from: URL): URL | undefined {
  if (![301, 302, 303, 307, 308].includes(response.status)) return undefined;
  const location = response.headers.get("location");
  if (location === null || !URL.canParse(location, from)) return undefined;
  return new URL(location, from);
}

/** Whether a redirect turns the request into a GET, as the Fetch standard defines it (HTTP-redirect fetch). */
function becomesGet(status: number, method: string): boolean {
  return status === 303 ? method !== "HEAD" : [301, 302].includes(status) && method === "POST";
}

function refuseUnsafeRedirect(request: HttpRequest, from: URL, to: URL, carriesBody: boolean): void {
  const isDowngrade = from.protocol === "https:" && to.protocol !== "https:";
  const isOther = !["http:", "https:"].includes(to.protocol);
  const leaks = carriesBody && from.origin !== to.origin;
  if (!isDowngrade && !isOther && !leaks) return;
  throw new RefusedError(
    `Cannot ${actionOf(request)}: ${from.host} redirects to ${to.protocol}//${to.host}, ` +
      (isOther
        ? "which is not an http address"
        : leaks
        ? "which would receive the request's content"
        : "which has no TLS"),
    { code: "REDIRECT_REFUSED", hint: "check the address" },
  );
}

function parseUrl(request: NamedRequest & Pick<HttpRequest, "url">): URL {
  if (URL.canParse(request.url)) {
    const url = new URL(request.url);
    if (["http:", "https:"].includes(url.protocol)) return url;
  }
  throw new UnreachableError(
    `Cannot ${actionOf(request)}: "${redactUrls(request.url)}" is not an http address`,
    {
      code: "ADDRESS_INVALID",
      hint: "check the address",
    },
  );
}

function noAnswer(request: HttpRequest & { readonly timeoutMs: number }, host: string): TransientError {
  return new TransientError(
    `Cannot ${actionOf(request)}: no answer from ${host} in ${request.timeoutMs / 1000} s`,
    {
      code: "TIMEOUT",
      hint: `check the network, and that ${host} is right`,
    },
  );
}
