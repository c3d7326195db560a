import { certificateAuthorities } from "./certificate_authorities.ts";
import type { Context, Environment, Http } from "../core/context.ts";
import { messageOf, UsageError } from "../core/errors.ts";
import { isCertificateFailure, isConnectFailure, ProxyFailure, ProxyRefusal } from "./network_error.ts";
import { findProxy } from "./proxy.ts";
import { quote } from "../core/quote.ts";

/** The process's {@link Http}. Disposing of it closes its connections. */
export interface OutgoingHttp extends Disposable {
  readonly http: Http;
}

/**
 * Returns a `fetch` that also trusts {@link certificateAuthorities}, and that names the proxy if the proxy fails or
 * refuses. The authorities are read with the first https request. Needs net and read permission.
 *
 * @param http the runtime's `fetch`, which reads proxies and its own certificate authorities from the process
 * @param processEnv the variables of the process, without those of `.env`
 *
 * The `fetch` throws a {@link UsageError} code `CERTIFICATE_FILE` if the runtime cannot read the file of `DENO_CERT`,
 * or the system's certificate authorities that `DENO_TLS_CA_STORE` requests: it then makes no https connection at all.
 */
export function outgoingHttp(
  http: Http,
  context: Pick<Context, "env" | "fs" | "log">,
  processEnv: Pick<Environment, "get">,
): OutgoingHttp {
  let caCerts: readonly string[] | undefined;
  let client: Deno.HttpClient | undefined;
  const trusting = (): Deno.HttpClient | undefined => {
    if (caCerts !== undefined) return client;
    requireRuntimeAuthorities(processEnv);
    caCerts = certificateAuthorities(context);
    return client = caCerts.length === 0 ? undefined : Deno.createHttpClient({ caCerts: [...caCerts] });
  };
  return {
    http: async (input, init) => {
      const url = new URL(input instanceof Request ? input.url : input);
      const own = url.protocol === "https:" ? trusting() : undefined;
      try {
        const response = await http(input, own === undefined ? init : withClient(init, own));
        await throwRefusal(response, url, processEnv);
        return response;
      } catch (error) {
        const proxy = findProxy(url, processEnv);
        const isProxys = proxy !== undefined && error instanceof TypeError && isConnectFailure(error) &&
          !isCertificateFailure(error);
        throw isProxys ? new ProxyFailure(error, proxy) : error;
      }
    },
    [Symbol.dispose]: () => client?.close(),
  };
}

/** @throws {UsageError} code `CERTIFICATE_FILE` */
function requireRuntimeAuthorities(processEnv: Pick<Environment, "get">): void {
  const [path, store] = [processEnv.get("DENO_CERT"), processEnv.get("DENO_TLS_CA_STORE")];
  if (path === undefined && store === undefined) return;
  try {
    Deno.createHttpClient({}).close();
  } catch (cause) {
    const reason = messageOf(cause);
    throw path === undefined || /platform certificates/i.test(reason)
      ? new UsageError(`Cannot use DENO_TLS_CA_STORE=${quote(store ?? "")}: ${reason}`, {
        code: "CERTIFICATE_FILE",
        cause,
        hint: "set SSL_CERT_FILE and SSL_CERT_DIR to existing paths, or unset them or DENO_TLS_CA_STORE",
      })
      : new UsageError(`Cannot use DENO_CERT: ${quote(path)} cannot be read (${reason})`, {
        code: "CERTIFICATE_FILE",
        cause,
        hint: "name a PEM file of certificate authorities in DENO_CERT, or unset it",
      });
  }
}

/**
 * Detects the proxy's answer to a plain http request: 407, which no server sends, or 403 with a web page.
 *
 * @throws {ProxyRefusal}
 */
async function throwRefusal(
  response: Response,
  url: URL,
  processEnv: Pick<Environment, "get">,
): Promise<void> {
  const isPage = /\bhtml\b/i.test(response.headers.get("content-type") ?? "");
  if (url.protocol !== "http:" || !(response.status === 407 || (response.status === 403 && isPage))) return;
  const proxy = findProxy(url, processEnv);
  if (proxy === undefined) return;
  await response.body?.cancel();
  throw new ProxyRefusal(proxy, response.status);
}

function withClient(init: RequestInit | undefined, client: Deno.HttpClient): RequestInit {
  const withIt: RequestInit & { readonly client: Deno.HttpClient } = { ...init, client };
  return withIt;
}
