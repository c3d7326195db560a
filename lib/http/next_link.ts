/** A target and its parameters, up to the comma before the next target. Quoted values may contain commas. */
const LINK = /<([^>]*)>((?:[^,"]|"(?:[^"\\]|\\.)*")*)/g;

/** A quoted or bare value of `rel`, which may be a list of relations. */
const RELATION = /;\s*rel\s*=\s*(?:"([^"]*)"|([^\s;,"]+))/i;

/**
 * Returns the address of the next page from a `Link` header (RFC 8288), with its parameters in any order, quoted or
 * not; `undefined` on the last page.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { nextLink } from "./next_link.ts";
 * assert.equal(nextLink('<https://a.example/?page=1>; rel="prev", <https://a.example/?page=3>; rel="next"'),
 *   "https://a.example/?page=3");
 * assert.equal(nextLink('</list?page=2>; title="one, two"; rel=next'), "/list?page=2");
 * assert.equal(nextLink('<https://a.example/?page=9>; rel="last"'), undefined);
 * ```
 */
export function nextLink(header: string | null | undefined): string | undefined {
  for (const [, target, parameters = ""] of (header ?? "").matchAll(LINK)) {
    const [, quoted, bare] = RELATION.exec(parameters) ?? [];
    if ((quoted ?? bare ?? "").toLowerCase().split(/\s+/).includes("next")) return target;
  }
  return undefined;
}
