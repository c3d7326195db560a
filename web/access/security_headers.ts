/**
 * The headers of every answer. The content security policy allows no inline script and no inline style: names of nodes
 * and files come from other machines, and must not be executed if they get past the escaping.
 */
const ALWAYS: Readonly<Record<string, string>> = {
  "content-security-policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join("; "),
  "x-content-type-options": "nosniff",
  // Addresses contain names of nodes. With "no-referrer", browsers would send forms with the origin "null".
  "referrer-policy": "same-origin",
  "permissions-policy": [
    "accelerometer=()",
    "camera=()",
    "display-capture=()",
    "geolocation=()",
    "gyroscope=()",
    "magnetometer=()",
    "microphone=()",
    "midi=()",
    "payment=()",
    "usb=()",
  ].join(", "),
  "cross-origin-opener-policy": "same-origin",
  "x-frame-options": "DENY",
};

/** A year. Subdomains do not belong to the dashboard. */
const HSTS = "max-age=31536000";

/** The facts that headers depend on. */
export interface HeaderFacts {
  readonly isHttps: boolean;
  /** Whether other sites may embed the answer, as a README embeds a badge. */
  readonly isEmbeddable: boolean;
  /** Whether the answer is for people who are signed in: shared caches must not keep it. */
  readonly isPrivate: boolean;
}

/**
 * Returns the response with security headers. Unless the handler set caching, no cache may keep the answer: caches do
 * not know who is signed in.
 */
export function withSecurityHeaders(
  response: Response,
  { isHttps, isEmbeddable, isPrivate }: HeaderFacts,
): Response {
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(ALWAYS)) headers.set(name, value);
  headers.set("cross-origin-resource-policy", isEmbeddable ? "cross-origin" : "same-origin");
  if (isHttps) headers.set("strict-transport-security", HSTS);
  headers.set("cache-control", cachingOf(headers.get("cache-control"), isPrivate));
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}

/**
 * Returns the caching of an answer. Private answers never become public, even if a handler forgets the viewer: the
 * platform's cache is shared.
 */
function cachingOf(chosen: string | null, isPrivate: boolean): string {
  if (chosen === null) return "no-store";
  if (!isPrivate || /\b(private|no-store)\b/i.test(chosen)) return chosen;
  return `private, ${chosen.replace(/\b(public|s-maxage=\d+)\b,? ?/gi, "")}`;
}
