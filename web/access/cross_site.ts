/**
 * Returns why a request that changes something may come from another site, as the end of a sentence; `undefined` where
 * it comes from a page of this dashboard.
 *
 * Browsers say where a request comes from in two headers that no page can set. Each that is there has to say "from here",
 * and one has to be there. `Sec-Fetch-Site: same-site` is another host of the same domain, which is not us. The scheme
 * of `Origin` is not compared: behind a proxy that ends TLS, the dashboard does not know its own.
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
  // An origin has no path and no credentials: anything else was not written by a browser.
  return url.origin === origin && url.host === host;
}

/** A header of a stranger, fit for an answer. */
function named(value: string): string {
  return value.replace(/[^\x21-\x7e]/g, "?").slice(0, 100);
}
