/** More than any browser sends to one host. The rest of the header is ignored. */
const HEADER_CHARS_MAX = 16 * 1024;
/** Cookies with the same name: ours, and those of other ports or subdomains. */
const SAME_NAME_MAX = 8;

/** Returns the unparsed values of the cookies with this name in a `Cookie` header. */
export function cookieValues(header: string | null, name: string): readonly string[] {
  const values: string[] = [];
  for (const pair of (header ?? "").slice(0, HEADER_CHARS_MAX).split(";")) {
    const equals = pair.indexOf("=");
    if (equals < 0 || pair.slice(0, equals).trim() !== name) continue;
    values.push(pair.slice(equals + 1).trim());
    if (values.length === SAME_NAME_MAX) break;
  }
  return values;
}

/** A cookie to set. */
export interface CookieSetting {
  readonly name: string;
  /** Letters, digits and `._-`. */
  readonly value: string;
  /** 0 removes it. */
  readonly maxAgeSec: number;
  readonly isHttps: boolean;
}

/** Returns the `Set-Cookie` header of a cookie that scripts cannot read and forms of other sites do not send. */
export function setCookie({ name, value, maxAgeSec, isHttps }: CookieSetting): string {
  // Lax, so that a link in an alert's mail opens the page signed in. cross_site.ts additionally checks requests that
  // change something.
  const parts = [`${name}=${value}`, "Path=/", `Max-Age=${maxAgeSec}`, "HttpOnly", "SameSite=Lax"];
  if (isHttps) parts.push("Secure");
  return parts.join("; ");
}
