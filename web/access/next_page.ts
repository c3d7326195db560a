/** Longer addresses of pages do not exist; the answer's `Location` has to stay a header. */
const NEXT_CHARS_MAX = 2_048;
/** Only to be resolved against. */
const BASE = "http://dashboard.invalid";

/**
 * Returns the page to open after signing in, from the address that a request names: a path of this dashboard with its
 * query, and `/` for whatever leads elsewhere or back to the sign-in page.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { nextPage } from "./next_page.ts";
 * assert.equal(nextPage("/nodes/bot-1?tab=runs"), "/nodes/bot-1?tab=runs");
 * assert.equal(nextPage("https://evil.example/"), "/");
 * assert.equal(nextPage("/.//evil.example"), "/");
 * ```
 */
export function nextPage(next: string | null | undefined): string {
  if (!next?.startsWith("/") || next.length > NEXT_CHARS_MAX) return "/";
  const url = URL.parse(next, BASE);
  if (url === null || url.origin !== BASE || url.username !== "" || url.password !== "") return "/";
  const page = url.pathname + url.search;
  // "/.//host" is resolved to "//host", which browsers take for another site's address.
  if (/^\/[/\\]/.test(page) || page.length > NEXT_CHARS_MAX) return "/";
  return /^\/sign-(in|out)(\/|$)/.test(url.pathname) ? "/" : page;
}
