import assert from "node:assert/strict";
import fc from "fast-check";
import { anyText } from "./any_text.ts";
import { cookieValues, setCookie } from "../../../web/access/cookies.ts";
import { nextPage } from "../../../web/access/next_page.ts";

const BROWSER_BASE = "https://models.example/sign-in?next=x";

Deno.test("the page after a sign-in is never on another site", () => {
  const elsewhere = [
    "https://evil.example/",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "/\\/evil.example",
    "\\\\evil.example",
    "/.//evil.example",
    "/..//evil.example",
    "/a/..//evil.example",
    "/%2e//evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "/./\\evil.example",
    "\t//evil.example",
    " //evil.example",
    "javascript:alert(1)",
    "/\u0000//evil.example",
    "http:evil.example",
    "@evil.example",
    ".evil.example",
    "evil.example",
    "/sign-in?next=/",
    "/sign-out",
    "/./sign-out",
    "",
    `/${"x".repeat(3_000)}`,
    null,
    undefined,
  ];
  for (const next of elsewhere) {
    const page = nextPage(next);
    const url = new URL(page, BROWSER_BASE);
    assert.equal(url.origin, "https://models.example", JSON.stringify(next));
    assert.ok(!url.pathname.startsWith("/sign-"), JSON.stringify(next));
  }
  for (const own of ["/", "/nodes/bot%201/client?tab=runs", "/releases/sha256:ab?against=cd", "/?q=//x"]) {
    assert.equal(nextPage(own), own);
  }
  assert.equal(nextPage("/nodes/\u00e9\r\nSet-Cookie: a=b"), "/nodes/%C3%A9Set-Cookie:%20a=b");
});

Deno.test("the page after a sign-in is always a path of the dashboard that fits into a header", () => {
  const pieces = fc.constantFrom(
    "/",
    "\\",
    "..",
    ".",
    "//",
    "%2f",
    "\t",
    "\n",
    "@",
    ":",
    "evil.example",
    "?",
    "#",
    "a",
  );
  const address = fc.oneof(
    anyText,
    fc.array(pieces, { maxLength: 12 }).map((parts) => parts.join("")),
    fc.array(pieces, { maxLength: 12 }).map((parts) => `/${parts.join("")}`),
  );
  fc.assert(
    fc.property(address, (next) => {
      const page = nextPage(next);
      assert.match(page, /^\/(?![/\\])[\x21-\x7e]*$/);
      assert.equal(new URL(page, BROWSER_BASE).origin, "https://models.example");
      assert.equal(nextPage(page), page);
    }),
    { numRuns: 300 },
  );
});

Deno.test("a cookie is found among any others, with its value as it was sent", () => {
  const name = fc.stringMatching(/^[a-z_-]{1,10}$/);
  const value = fc.stringMatching(/^[A-Za-z0-9._-]{0,60}$/);
  fc.assert(fc.property(fc.array(fc.tuple(name, value), { maxLength: 8 }), name, (pairs, wanted) => {
    const header = pairs.map((pair) => pair.join("=")).join("; ");
    const expected = pairs.filter(([one]) => one === wanted).map(([, text]) => text);
    assert.deepEqual(cookieValues(header, wanted), expected);
  }));
});

Deno.test("a bounded number of values is read from any Cookie header", () => {
  fc.assert(fc.property(anyText, (header) => {
    for (const value of cookieValues(header, "a")) assert.ok(!value.includes(";"));
  }));
  assert.deepEqual(cookieValues(null, "a"), []);
  assert.equal(cookieValues("a=b;".repeat(100_000), "a").length, 8);
  assert.deepEqual(cookieValues(`${"x".repeat(20_000)}; a=b`, "a"), []);
});

Deno.test("a cookie is removed by setting it with no age", () => {
  const removed = setCookie({ name: "a", value: "", maxAgeSec: 0, isHttps: true });
  assert.equal(removed, "a=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure");
});
