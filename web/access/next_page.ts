/** No page has a longer address, and the `Location` header must stay valid. */
const NEXT_CHARS_MAX = 2_048;
/** The base for resolving relative addresses. */
const BASE = "http://dashboard.invalid";

/**
 * Returns the page to open after the sign-in: a path of this dashboard with its query, or `/` if the address leads
 * elsewhere or to the sign-in page.
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
  // "/.//host" resolves to "//host", which browsers treat as another site.
  if (/^\/[/\\]/.test(page) || page.length > NEXT_CHARS_MAX) return "/";
  return /^\/sign-(in|out)(\/|$)/.test(url.pathname) ? "/" : page;
}
