import assert from "node:assert/strict";
import { inspect } from "node:util";
import { redact, redactUrls, Secret } from "../../lib/core/secret.ts";

const TOKEN = "ghp_0123456789";

Deno.test("a Secret shows itself in no way of printing", () => {
  const secret = new Secret(TOKEN);
  const shown = [
    `${secret}`,
    String(secret),
    JSON.stringify({ secret }),
    Deno.inspect({ secret }),
    inspect({ secret }),
  ];
  for (const text of shown) assert.ok(!text.includes(TOKEN), text);
  assert.equal(Object.keys(secret).length, 0);
});

Deno.test("redactUrls() blanks credentials and leaves the rest readable", () => {
  const cases: Readonly<Record<string, string>> = {
    "https://user:pass@host/x": "https://[redacted]@host/x",
    "https://token@host/x": "https://[redacted]@host/x",
    "fatal: 'https://a:b@h/' and ssh://git@h/y": "fatal: 'https://[redacted]@h/' and ssh://[redacted]@h/y",
    "git@github.com:a/b": "git@github.com:a/b",
    "https://host/a@b": "https://host/a@b",
    "mail a@b.org": "mail a@b.org",
  };
  for (const [text, expected] of Object.entries(cases)) assert.equal(redactUrls(text), expected);
});

Deno.test("redact() blanks every occurrence of a secret", () => {
  assert.equal(
    redact(`a ${TOKEN} b ${TOKEN}`, [new Secret(TOKEN), new Secret("")]),
    "a [redacted] b [redacted]",
  );
});
