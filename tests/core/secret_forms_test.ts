import assert from "node:assert/strict";
import { cleanLine } from "../../lib/core/clean_text.ts";
import { Secret } from "../../lib/core/secret.ts";

const SECRETS = [
  "zq7/Secret+of(me)'x",
  'pass wörd "quoted"\\x',
  "0123456789abcdef0123456789abcdef01234567",
  "Zz9-_.~tok~",
  "ab/c=d&e?f#g",
];

function escapedBytes(text: string, escape: RegExp): string {
  return Array.from(new TextEncoder().encode(text), (byte) => {
    const char = String.fromCharCode(byte);
    return escape.test(char) ? `%${byte.toString(16).padStart(2, "0")}` : char;
  }).join("");
}

function userinfo(password: string): string {
  const url = new URL("https://host");
  url.password = password;
  return url.password;
}

const FORMS: Readonly<Record<string, (secret: string) => string>> = {
  "as it is": (secret) => secret,
  "as a component of an address": encodeURIComponent,
  "with every sign escaped in small letters": (secret) => escapedBytes(secret, /[^A-Za-z0-9]/),
  "with every byte escaped": (secret) => escapedBytes(secret, /[^]/),
  "as a form": (secret) => new URLSearchParams({ a: secret }).toString().slice(2),
  "as a login": userinfo,
  "as JSON": (secret) => JSON.stringify(secret).slice(1, -1),
  "as JSON within JSON": (secret) => JSON.stringify(JSON.stringify(secret)).slice(3, -3),
  "as Python has it": (secret) => secret.replaceAll("\\", "\\\\").replaceAll("'", "\\'"),
  "as HTML": (secret) => secret.replaceAll("&", "&amp;").replaceAll("'", "&#39;").replaceAll('"', "&quot;"),
  "in pieces": (secret) => [...secret].join("\u001b[1m"),
};

for (const [form, write] of Object.entries(FORMS)) {
  Deno.test(`a secret is redacted ${form}`, () => {
    for (const value of SECRETS) {
      new Secret(value);
      assert.equal(cleanLine(`refused: ${write(value)} is wrong`), "refused: [redacted] is wrong", value);
    }
  });
}

Deno.test("a secret is redacted in base64, after any user name and in both alphabets", () => {
  for (const value of SECRETS) {
    new Secret(value);
    for (const user of ["", ":", "a:", "me:", "x-access-token:"]) {
      const bytes = new TextEncoder().encode(user + value);
      const base64 = btoa(String.fromCharCode(...bytes));
      for (const text of [base64, base64.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "")]) {
        const said = cleanLine(`sent ${text} there`);
        assert.match(said, /^sent [\w-]{0,22}\[redacted\][\w+/=-]{0,4} there$/, `${user}${value}: ${said}`);
      }
    }
  }
});

Deno.test("a very short secret, a word and a number that dates contain redact nothing", () => {
  for (const value of ["a", "ab", "abc", "a1", "a1b", "main", "pull", "2026", "1.2.3", "08:00"]) {
    new Secret(value);
  }
  const text = "2026-11-29T08:00:00Z pull main a ab abc a1 a1b 1.2.3";
  assert.equal(cleanLine(text), text);
});
