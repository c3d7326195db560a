/** The host that a request addresses. */
export interface RequestHost {
  /** Lower case, with the port unless it is the scheme's default. */
  readonly host: string;
  /** Without the port; an IPv6 address in brackets. */
  readonly hostname: string;
  readonly isHttps: boolean;
}

/**
 * Returns the host of a request; `undefined` if its address is invalid or its `Host` header differs from it. The
 * runtime copies the header into the address unchecked.
 */
export function requestHost(request: Request): RequestHost | undefined {
  const url = URL.parse(request.url);
  if (url === null || url.username !== "" || url.password !== "") return undefined;
  const header = request.headers.get("host");
  if (header !== null && !isHost(header, url)) return undefined;
  return { host: url.host, hostname: url.hostname, isHttps: url.protocol === "https:" };
}

function isHost(header: string, url: URL): boolean {
  if (!/^[\w.\-:[\]]+$/.test(header)) return false;
  return URL.parse(`${url.protocol}//${header}`)?.host === url.host;
}

/**
 * Returns whether a host name always refers to this machine, whatever DNS says. Without a password, only these names
 * are answered: with DNS rebinding, a web page can resolve its own name to 127.0.0.1, and would read the dashboard as
 * its own site.
 *
 * @param hostname as in a URL or `--listen`; an IPv6 address with or without brackets
 */
export function isLoopbackName(hostname: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|::1|\[::1\])$/i.test(hostname);
}
