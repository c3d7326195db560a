import { certificateAuthorities } from "./certificate_authorities.ts";
import type { Context, Environment } from "./context.ts";
import type { Http } from "./http.ts";
import { isCertificateFailure, isConnectFailure, ProxyFailure } from "./network_error.ts";
import { findProxy } from "./proxy.ts";

/** The web as this process reaches it; disposing of it closes its connections. */
export interface OutgoingHttp extends Disposable {
  readonly http: Http;
}

/**
 * Returns a `fetch` that also trusts the certificate authorities of {@link certificateAuthorities}, and names the proxy
 * where that is what cannot be connected to. The authorities are read with the first https request. Needs net and read
 * permission.
 *
 * @param http the runtime's `fetch`, which takes proxies and its own certificate authorities from the process
 * @param processEnv the variables of the process, without those of `.env`
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
    caCerts = certificateAuthorities(context);
    return client = caCerts.length === 0 ? undefined : Deno.createHttpClient({ caCerts: [...caCerts] });
  };
  return {
    http: async (input, init) => {
      const url = new URL(input instanceof Request ? input.url : input);
      const own = url.protocol === "https:" ? trusting() : undefined;
      try {
        return await http(input, own === undefined ? init : withClient(init, own));
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

function withClient(init: RequestInit | undefined, client: Deno.HttpClient): RequestInit {
  const withIt: RequestInit & { readonly client: Deno.HttpClient } = { ...init, client };
  return withIt;
}
