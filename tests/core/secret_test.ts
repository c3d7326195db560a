import assert from "node:assert/strict";
import { inspect } from "node:util";
import { redact, redactText, redactUrls, Secret } from "../../lib/core/secret.ts";

const TOKEN = "ghp_0123456789";

Deno.test("a Secret is redacted in every way of printing it", () => {
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
    "https://user:p@ss@wo@host/x": "https://[redacted]@host/x",
    "https://user:p/a?s#s@host/x": "https://[redacted]@host/x",
    "https://user:p'ss@host/x": "https://[redacted]@host/x",
    "https://host:8080/a@b": "https://host:8080/a@b",
    "https://[::1]:8080/a@b": "https://[::1]:8080/a@b",
    "https://host/x?sig=1&page=2&X-Amz-Credential=3":
      "https://host/x?sig=[redacted]&page=2&X-Amz-Credential=[redacted]",
    "git@github.com:a/b": "git@github.com:a/b",
    "https://host/a@b": "https://host/a@b",
    "mail a@b.org": "mail a@b.org",
  };
  for (const [text, expected] of Object.entries(cases)) assert.equal(redactUrls(text), expected);
});

Deno.test("redactText() blanks tokens of a known shape, and a private key to its end", () => {
  const token = `hf_${"aB3d".repeat(8)}aB`;
  assert.equal(
    redactText(`sent ${token} to https://a:b@host/x`),
    "sent [redacted] to https://[redacted]@host/x",
  );
  assert.equal(redactText("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n"), "[redacted]");
  assert.equal(redactText("3 keys, 5 tokens"), "3 keys, 5 tokens");
});

Deno.test("redact() blanks every occurrence of a secret", () => {
  assert.equal(
    redact(`a ${TOKEN} b ${TOKEN}`, [new Secret(TOKEN), new Secret("")]),
    "a [redacted] b [redacted]",
  );
});
