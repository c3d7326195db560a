/**
 * Returns why a request that changes something may come from another site, worded as the end of a sentence; `undefined`
 * if it comes from a page of this dashboard.
 *
 * Browsers send the origin in two headers that pages cannot set. At least one must be present, and each that is present
 * must name this dashboard. `Sec-Fetch-Site: same-site` is another host of the same domain, which is not this
 * dashboard. The scheme of `Origin` is not compared: behind a proxy that ends TLS, the dashboard does not know its own.
 *
 * @param host as in the request's `Host`, with the port where it is not the scheme's own
 */
export function crossSiteFault(headers: Headers, host: string): string | undefined {
  const site = headers.get("sec-fetch-site");
  const origin = headers.get("origin");
  if (site === null && origin === null) {
    return "the browser does not say which page it comes from (no Origin, no Sec-Fetch-Site)";
  }
  if (site !== null && site !== "same-origin") {
    return `it comes from another site (Sec-Fetch-Site: ${named(site)})`;
  }
  if (origin !== null && !isOrigin(origin, host)) return `its origin ${named(origin)} is not ${host}`;
  return undefined;
}

function isOrigin(origin: string, host: string): boolean {
  const url = URL.parse(origin);
  if (url === null || (url.protocol !== "https:" && url.protocol !== "http:")) return false;
  // An origin has no path and no credentials. Browsers write nothing else.
  return url.origin === origin && url.host === host;
}

/** Returns an untrusted header in a form that is safe in an answer. */
function named(value: string): string {
  return value.replace(/[^\x21-\x7e]/g, "?").slice(0, 100);
}
