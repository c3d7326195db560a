/** Where a request says that it goes to. */
export interface RequestHost {
  /** Lower case, with the port where it is not the scheme's own. */
  readonly host: string;
  /** Without the port; an IPv6 address in brackets. */
  readonly hostname: string;
  readonly isHttps: boolean;
}

/**
 * Returns the host of a request; `undefined` where its address cannot be read, or its `Host` says something else. The
 * runtime puts the header into the address unchecked.
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
 * Returns whether a name in an address leads to this machine, whatever any name server says. Without a password, only
 * such names are answered: a web page can have its own name resolved to 127.0.0.1 (DNS rebinding), and would then read
 * the dashboard as its own site.
 *
 * @param hostname as a URL or `--listen` has it, an IPv6 address with or without brackets
 */
export function isLoopbackName(hostname: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|::1|\[::1\])$/i.test(hostname);
}
