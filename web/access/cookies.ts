/** More than any browser sends for one host; the rest of a header is not read. */
const HEADER_CHARS_MAX = 16 * 1024;
/** Cookies of one name: ours, and those that another port or subdomain may have set. */
const SAME_NAME_MAX = 8;

/** Returns the values of the cookies with this name in a `Cookie` header, as they were sent. */
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

/** How a cookie is set. */
export interface CookieSetting {
  readonly name: string;
  /** Letters, digits and `._-`. */
  readonly value: string;
  /** 0 removes it. */
  readonly maxAgeSec: number;
  readonly isHttps: boolean;
}

/** Returns the `Set-Cookie` header for a cookie that scripts cannot read and other sites' forms do not send. */
export function setCookie({ name, value, maxAgeSec, isHttps }: CookieSetting): string {
  // Lax: a link in an alert's mail opens the page signed in. What changes something is checked by cross_site.ts besides.
  const parts = [`${name}=${value}`, "Path=/", `Max-Age=${maxAgeSec}`, "HttpOnly", "SameSite=Lax"];
  if (isHttps) parts.push("Secure");
  return parts.join("; ");
}
