import { nextLink } from "../http/next_link.ts";

/**
 * Returns the address of the next page of a list, by the `next` link of a `Link` header (RFC 8288); `undefined` on the
 * last page. A mirror may pass on links to the hub behind it, which may be unreachable and must not get the token. The
 * next page is then requested from the configured endpoint, with the link's query.
 *
 * @param from the address of this page
 * @param endpoint the hub's address, without a trailing slash
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { nextPage } from "./next_page.ts";
 * const link = '<https://huggingface.co/api/models/a/b/tree/c?cursor=2>; rel="next"';
 * const from = "https://mirror.example/hf/api/models/a/b/tree/c?recursive=true";
 * const next = "https://mirror.example/hf/api/models/a/b/tree/c?cursor=2";
 * assert.equal(nextPage(link, from, "https://mirror.example/hf"), next);
 * ```
 */
export function nextPage(link: string | null, from: string, endpoint: string): string | undefined {
  const target = nextLink(link);
  if (target === undefined || !URL.canParse(target, from)) return undefined;
  const next = new URL(target, from);
  if (next.href.startsWith(`${new URL(endpoint).href.replace(/\/$/, "")}/`)) return next.href;
  const own = new URL(from);
  own.search = next.search;
  return own.href;
}
