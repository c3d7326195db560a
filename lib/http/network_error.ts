import type { HttpRequest, NamedRequest } from "./request_types.ts";
import { isoSeconds } from "../core/clock.ts";
import { TransientError, UnreachableError } from "../core/errors.ts";
import type { Proxy } from "./proxy.ts";

/** Returns the action of a request for "Cannot …": `read the state of job 12`. */
export function actionOf({ verb = "read", what }: NamedRequest): string {
  return `${verb} ${what}`;
}

/**
 * Returns the host that sent an answer, which redirects may have led to. An answer that this program made itself has no
 * address.
 */
export function answeringHost({ url }: Pick<Response, "url">, request: Pick<HttpRequest, "url">): string {
  return new URL(url === "" ? request.url : url).host;
}

/** A connection that failed at the proxy, or on the way to it. */
export class ProxyFailure extends TypeError {
  readonly proxy: Proxy;

  constructor(cause: TypeError, proxy: Proxy) {
    super(cause.message, { cause });
    this.proxy = proxy;
  }
}

/** An answer of the proxy instead of the server, to a request without a tunnel. */
export class ProxyRefusal extends Error {
  readonly proxy: Proxy;
  readonly status: number;

  constructor(proxy: Proxy, status: number) {
    super(`the proxy answered ${status}`);
    this.proxy = proxy;
    this.status = status;
  }
}

/** Returns whether a `fetch` failed before its request was sent: name look-up, connection, proxy, TLS. */
export function isConnectFailure(error: unknown): boolean {
  return causesOf(error).some(({ message }) => message.includes("client error (Connect)"));
}

/** Returns whether a `fetch` failed because the server's certificate is not trusted. */
export function isCertificateFailure(error: unknown): boolean {
  return certificateProblem(error) !== undefined;
}

/**
 * Returns the error for a connection that failed, or broke while a body was read: a {@link TransientError} code
 * `UNREACHABLE` or `PROXY_REFUSED`; an {@link UnreachableError} code `CERTIFICATE_UNTRUSTED`, `TLS_MISSING` or
 * `PROXY_REFUSED` if a retry cannot help.
 */
export function networkError(
  error: unknown,
  request: NamedRequest,
  host: string,
  signal?: AbortSignal,
): unknown {
  if (signal?.aborted) return signal.reason;
  if (error instanceof ProxyRefusal) return refusedByProxy(error, request, host);
  // Deno reports network failures as a TypeError, or as its own error while a body is read.
  if (!(error instanceof TypeError || error instanceof Deno.errors.Http || isSystemFault(error))) {
    return error;
  }
  const problem = certificateProblem(error);
  if (problem !== undefined) return untrusted(error, request, host, problem);
  if (error instanceof ProxyFailure) return proxyError(error, request, host);
  const fault = faultOf(error);
  if (SPEAKS_NO_TLS.test(fault)) return withoutTls(error, request, host);
  return new TransientError(`Cannot ${actionOf(request)}: ${host} did not answer (${fault})`, {
    code: "UNREACHABLE",
    cause: error,
    hint: `check the network, and that ${host} is right`,
  });
}

/** The message of rustls for an answer that is not TLS, for example from a plain http server. */
const SPEAKS_NO_TLS = /corrupt message of type InvalidContentType/;

function withoutTls(cause: Error, request: NamedRequest, host: string): UnreachableError {
  return new UnreachableError(`Cannot ${actionOf(request)}: ${host} does not speak https`, {
    code: "TLS_MISSING",
    cause,
    hint: "check the port, or begin the address with http:// if the server has no certificate",
  });
}

function isSystemFault(error: unknown): error is Error {
  return error instanceof Error &&
    [
      Deno.errors.ConnectionReset,
      Deno.errors.ConnectionAborted,
      Deno.errors.ConnectionRefused,
      Deno.errors.BrokenPipe,
      Deno.errors.UnexpectedEof,
      Deno.errors.TimedOut,
    ].some((fault) => error instanceof fault);
}

/**
 * Returns the cause of a network failure, without the address. Deno 2.9 has it in the innermost cause of `fetch
 * failed`, Deno 2.6 at the end of `error sending request for url (…): client error (Connect): tcp connect error:
 * Connection refused`.
 */
function faultOf(error: Error): string {
  const innermost = causesOf(error).at(-1);
  const message = (innermost?.message ?? "").replace(/\(https?:[^)]*\)/g, "");
  return message.split(": ").at(-1) ?? "";
}

/** A chain of causes has three errors. The bound ends a circular one. */
const CAUSES_MAX = 10;

/** Returns an error and its causes, the innermost last. */
function causesOf(error: unknown): Error[] {
  const causes: Error[] = [];
  for (let cause = error; cause instanceof Error && causes.length < CAUSES_MAX; cause = cause.cause) {
    causes.push(cause);
  }
  return causes;
}

/**
 * Returns the problem of a certificate in the words of rustls: `UnknownIssuer`, `Expired`, `certificate not valid for
 * name …`.
 */
function certificateProblem(error: unknown): string | undefined {
  for (const { message } of causesOf(error)) {
    const [, problem] = /invalid peer certificate: (.*)/s.exec(message) ?? [];
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function untrusted(cause: unknown, request: NamedRequest, host: string, problem: string): UnreachableError {
  return new UnreachableError(
    `Cannot ${actionOf(request)}: the certificate of ${host} is not trusted (${withDates(problem)})`,
    { code: "CERTIFICATE_UNTRUSTED", cause, hint: certificateHint(host, problem) },
  );
}

/** Replaces the timestamps of rustls with dates: `certificate is not valid after 1609459200 (… seconds ago)`. */
function withDates(problem: string): string {
  const [, relation, seconds] = /not valid (after|before) (\d{1,11})\b/.exec(problem) ?? [];
  return seconds === undefined
    ? problem
    : `not valid ${relation} ${isoSeconds(new Date(Number(seconds) * 1000))}`;
}

function certificateHint(host: string, problem: string): string {
  if (/expired|not ?(?:yet )?valid ?yet/i.test(problem)) {
    return `check this machine's clock; if it is right, renew the certificate of ${host}`;
  }
  if (/not valid for name|NotValidForName/i.test(problem)) {
    return `check that ${host} is the right server`;
  }
  // The runtime never accepts an authority's own certificate as a server's.
  if (/CaUsedAsEndEntity/.test(problem)) {
    return `give ${host} a certificate that is not a certificate authority's own (CA:FALSE); a self-signed one is then ` +
      "trusted when DENO_CERT names it";
  }
  return "if your own certificate authority signed it, name the authority's PEM file in DENO_CERT, or set " +
    "DENO_TLS_CA_STORE=system to trust those of this system; otherwise the connection may be intercepted";
}

function proxyError(failure: ProxyFailure, request: NamedRequest, host: string): UnreachableError {
  const { variable, host: proxy } = failure.proxy;
  const fault = faultOf(failure);
  const named = `the proxy ${proxy} (${variable})`;
  if (/authentication/i.test(fault)) {
    return new UnreachableError(`Cannot ${actionOf(request)}: ${named} asks for a user and a password`, {
      code: "PROXY_REFUSED",
      cause: failure,
      hint: loginHint(failure.proxy),
    });
  }
  if (/tunnel/i.test(fault)) {
    return new TransientError(
      `Cannot ${actionOf(request)}: ${named} does not connect to ${host} (${fault})`,
      {
        code: "PROXY_REFUSED",
        cause: failure,
        hint: `have ${host} allowed at the proxy, or add it to NO_PROXY if it can be reached without; ` +
          `a proxy that wants a user and a password takes them from ${variable}`,
      },
    );
  }
  return new TransientError(`Cannot ${actionOf(request)}: ${named} did not answer (${fault})`, {
    code: "UNREACHABLE",
    cause: failure,
    hint: `check ${variable} and the proxy, or add ${host} to NO_PROXY if it can be reached without`,
  });
}

/** Without an example address, because the part before its host would be redacted like a password. */
function loginHint({ variable, host }: Proxy): string {
  return `put them into ${variable} as USER:PASSWORD@ before ${host}, in the environment of the process`;
}

function refusedByProxy(
  { proxy, status }: ProxyRefusal,
  request: NamedRequest,
  host: string,
): UnreachableError {
  const named = `the proxy ${proxy.host} (${proxy.variable})`;
  if (status === 407) {
    return new UnreachableError(`Cannot ${actionOf(request)}: ${named} asks for a user and a password`, {
      code: "PROXY_REFUSED",
      hint: loginHint(proxy),
    });
  }
  return new UnreachableError(
    `Cannot ${actionOf(request)}: ${named} or ${host} behind it answered ${status} with a web page`,
    {
      code: "PROXY_REFUSED",
      hint: `have ${host} allowed at the proxy, or add it to NO_PROXY if it can be reached without`,
    },
  );
}
