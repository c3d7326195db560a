/**
 * The headers of every answer. The content security policy allows no inline script and no inline style: node and file
 * names are text of other machines, and whatever gets past the escaping is not executed.
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
  // Addresses hold names of nodes. With "no-referrer", browsers would send forms with the origin "null".
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

/** A year. Subdomains are not the dashboard's. */
const HSTS = "max-age=31536000";

/** What the headers depend on. */
export interface HeaderFacts {
  readonly isHttps: boolean;
  /** Whether other sites may show the answer, as a README shows a badge. */
  readonly isEmbeddable: boolean;
  /** Whether the answer is for those who signed in: no cache that others share may keep it. */
  readonly isPrivate: boolean;
}

/**
 * Returns the response with the security headers. Where the handler said nothing of caching, no cache keeps the answer:
 * the caches on the way do not know who signed in.
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

/** A handler that forgets who is asking must not publish what it answers: the platform's own cache is shared, too. */
function cachingOf(chosen: string | null, isPrivate: boolean): string {
  if (chosen === null) return "no-store";
  if (!isPrivate || /\b(private|no-store)\b/i.test(chosen)) return chosen;
  return `private, ${chosen.replace(/\b(public|s-maxage=\d+)\b,? ?/gi, "")}`;
}
