import type { z } from "zod";
import { askedPauseMs } from "./asked_pause.ts";
import { cleanLine } from "../core/clean_text.ts";
import type { Context, Http } from "../core/context.ts";
import { withDeadline } from "../core/deadline.ts";
import { AuthenticationError, PassingError, RefusedError, UnreachableError } from "../core/errors.ts";
import { formatDuration } from "../core/format.ts";
import { actionOf, type NamedRequest, networkError } from "./network_error.ts";
import type { Secret } from "../core/secret.ts";

/** What of a {@link Context} a request takes. */
export type HttpContext = Pick<Context, "http" | "clock" | "signal">;

/** Headers for one origin (scheme, host and port), and for no other that it redirects to. */
export interface Credentials {
  readonly origin: string;
  readonly headers: Readonly<Record<string, Secret>>;
}

/** Credentials for the origin of `url` in an `Authorization` header. */
export function bearer(url: string, token: Secret): Credentials {
  return { origin: new URL(url).origin, headers: { authorization: token.map((value) => `Bearer ${value}`) } };
}

export interface HttpRequest extends NamedRequest {
  readonly url: string;
  readonly method?: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Sent to whatever host answers in the end. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly credentials?: Credentials | undefined;
  /** A blob is sent with its length; a stream in chunks, which storage refuses. */
  readonly body?: string | Blob | ReadableStream<Uint8Array<ArrayBuffer>>;
  /** `"refuse"`: a redirect is an answer like any other, and nothing is sent to where it leads. */
  readonly redirects?: "follow" | "refuse";
  /** Besides the credentials, what no message may show, should the other side repeat it. */
  readonly secrets?: readonly Secret[];
}

export interface HttpAnswer {
  readonly response: Response;
  /** The request ended at another origin than it began. */
  readonly crossedOrigin: boolean;
}

/** Signed storage is one redirect away, a renamed repository a second; more is a loop. */
const REDIRECTS_MAX = 5;

/** JSON of an API: the largest answers are pages of 100 workflow runs, under 2 MB. */
const BODY_BYTES_MAX = 16 * 1024 * 1024;

/** As much of a failed answer's body as a message quotes. */
const QUOTED_CHARS_MAX = 500;

/** More is read than quoted, so that no secret is cut before it is blanked out. */
const READ_CHARS_MAX = 16 * 1024;

/**
 * Sends a request and follows redirects, with credentials for their own origin alone. The body of the answer is the
 * caller's to read or to cancel; any status is an answer.
 *
 * @throws {PassingError} when nobody answers; {@link RefusedError} code `REDIRECT_REFUSED` for a redirect to something
 * less safe; the signal's reason
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

/** An answer of an API that was read whole. */
export interface JsonAnswer<Data> {
  readonly status: number;
  readonly headers: Headers;
  readonly data: Data;
}

/**
 * Asks an API and checks what it answers. One attempt: wrap it in `withRetry` where repeating does no harm.
 *
 * @param schema what of the answer is needed; everything else in it is ignored
 * @throws {PassingError} no answer in time, or a status that passes; the errors of {@link statusError};
 * {@link UnreachableError} code `ANSWER_INVALID` when the answer is not what the API promises
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
      `Cannot ${actionOf(request)}: ${parseUrl(request).host} answered something else than expected (${
        issue === undefined || json === undefined
          ? "no JSON"
          : [issue.path.join("."), issue.message].filter(Boolean).join(": ")
      })`,
      { code: "ANSWER_INVALID", hint: "check the address: is this the server that was meant?" },
    );
  });
}

/**
 * Sends a request and has its answer read, both within one deadline. `read` reads or cancels the body.
 *
 * @throws {PassingError} no answer in time; what {@link sendRequest} and `read` throw
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

/** Statuses that a later attempt may not meet again; from 520 on they are those of Cloudflare, in front of many. */
const PASSING_STATUSES = [408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524];

/** What GitHub asks for with a secondary rate limit that names no pause: "Rate limits for the REST API". */
const SECONDARY_PAUSE_MS = 60_000;

/**
 * The error that a failed answer stands for; its body is read for the message.
 * 401 and 403: {@link AuthenticationError}. Overload and faults of the server: {@link PassingError} with the pause that
 * the server asks for. Everything else: {@link UnreachableError} with the code `HTTP_<status>`.
 */
export async function statusError(
  { clock }: Pick<Context, "clock">,
  request: HttpRequest,
  response: Response,
): Promise<AuthenticationError | UnreachableError> {
  const { status } = response;
  const host = parseUrl(request).host;
  const said = await quoteBody(response, request);
  const message = `Cannot ${actionOf(request)}: ${host} answered ${status}${said}`;
  const retryAfterMs = askedPauseMs(response.headers, clock.now()) ??
    (/\bsecondary rate limit\b/i.test(said) ? SECONDARY_PAUSE_MS : undefined);
  if (PASSING_STATUSES.includes(status) || (status === 403 && retryAfterMs !== undefined)) {
    return new PassingError(message, { code: `HTTP_${status}`, retryAfterMs, hint: againHint(retryAfterMs) });
  }
  // Only proxies answer so (RFC 9110, 15.5.8).
  if (status === 407) {
    return new UnreachableError(
      `Cannot ${actionOf(request)}: the proxy in front of ${host} asks for a user and a password (407)`,
      { code: "PROXY_REFUSED", hint: "put them into HTTP_PROXY as USER:PASSWORD@ before the proxy's name" },
    );
  }
  if (status === 401 || status === 403) {
    return new AuthenticationError(message, {
      code: `HTTP_${status}`,
      hint: "check the token, and what it is allowed to do",
    });
  }
  return new UnreachableError(message, {
    code: `HTTP_${status}`,
    hint: "check the address and the names in it",
  });
}

/** For a pause that is longer than what a run waits. */
function againHint(retryAfterMs: number | undefined): string {
  if (retryAfterMs === undefined || retryAfterMs < 1000) return "run again later";
  return `run again in ${formatDuration(retryAfterMs)}`;
}

/**
 * Whether a server turned a request away before it did anything: 429, or a 403 that names a pause. The request may be
 * sent again, even one that changes something.
 */
export function wasTurnedAway(error: unknown): error is PassingError {
  return error instanceof PassingError && (error.code === "HTTP_429" || error.code === "HTTP_403");
}

/** Reads a body as text, up to a bound. @throws {UnreachableError} code `ANSWER_TOO_LARGE`; {@link PassingError} */
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

/** The pieces of a body, up to a bound. @throws {UnreachableError} code `ANSWER_TOO_LARGE`; {@link PassingError} */
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
          { code: "ANSWER_TOO_LARGE", hint: "check the address: is this the server that was meant?" },
        );
      }
      yield piece;
    }
  } catch (error) {
    throw networkError(error, request, parseUrl(request).host);
  }
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
    // The status alone says enough.
  }
  const hidden = [...Object.values(credentials?.headers ?? {}), ...secrets];
  const isPage = /^\s*<(?:!doctype|html)/i.test(text);
  const quoted = isPage ? "an HTML page" : cleanLine(text, { charsMax: QUOTED_CHARS_MAX, secrets: hidden });
  return quoted === "" ? "" : `: ${quoted}`;
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

/** The runtime's own complaint would show the secret. @throws {AuthenticationError} code `TOKEN_INVALID` */
function setSecret(headers: Headers, name: string, value: Secret, request: NamedRequest): void {
  try {
    headers.set(name, value.reveal());
  } catch {
    throw new AuthenticationError(
      `Cannot ${actionOf(request)}: the header ${name} cannot hold what it should`,
      {
        code: "TOKEN_INVALID",
        hint: "check the token for line breaks and other stray characters",
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

/** As the Fetch standard has it (HTTP-redirect fetch): the answer to what was posted is elsewhere, and is asked for there. */
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
      (leaks ? "which would get what is sent" : "which is not as safe"),
    { code: "REDIRECT_REFUSED", hint: "check the address" },
  );
}

function parseUrl(request: NamedRequest & Pick<HttpRequest, "url">): URL {
  if (URL.canParse(request.url)) {
    const url = new URL(request.url);
    if (["http:", "https:"].includes(url.protocol)) return url;
  }
  throw new UnreachableError(
    `Cannot ${actionOf(request)}: "${request.url}" is not an http address`,
    {
      code: "ADDRESS_INVALID",
      hint: "check the address",
    },
  );
}

function noAnswer(request: HttpRequest & { readonly timeoutMs: number }, host: string): PassingError {
  return new PassingError(
    `Cannot ${actionOf(request)}: no answer from ${host} in ${request.timeoutMs / 1000} s`,
    {
      code: "TIMEOUT",
      hint: `check the network, and that ${host} is right`,
    },
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
