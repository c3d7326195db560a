import assert from "node:assert/strict";
import fc from "fast-check";
import { cleanLine, cleanLines } from "../../lib/core/clean_text.ts";
import { redactText, RequestSecret, Secret } from "../../lib/core/secret.ts";
import { anyCharacter } from "../helpers/any_character.ts";

// C0, DEL, C1, line separators, and what turns or hides text.
const FORBIDDEN = /[\p{Cc}\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/u;

const escape = fc.constantFrom(
  "\u001b[31m",
  "\u001b]0;title\u0007",
  "\u001b]8;;https://h.example\u001b\\",
  "\u009b2J",
  "\u001b(B",
  "\u001b",
  "\u0007",
  "\n",
  "\r\n",
  "\t",
  "\u202e",
  "\u200b",
  "\u2028",
  "\u0000",
);
const word = fc.constantFrom(
  "token=",
  "Authorization: ",
  "Bearer ",
  "https://me:",
  "@host/x?sig=",
  "[redacted]",
  "-----BEGIN PRIVATE KEY-----",
  "\\u001b[0m",
  "\\n",
  '"password": "',
  "ghp_",
  "💥",
  "cookie: a=b; ",
);
const part = fc.oneof(
  escape,
  word,
  fc.string({ unit: anyCharacter, maxLength: 12 }),
  fc.string({ maxLength: 12 }),
);
const text = fc.array(part, { maxLength: 30 }).map((parts) => parts.join(""));

Deno.test("a clean line has no control characters, no half characters and at most the requested length", () => {
  fc.assert(
    fc.property(text, fc.integer({ min: 1, max: 60 }), (dirty, charsMax) => {
      const clean = cleanLine(dirty, { charsMax });
      assert.doesNotMatch(clean, FORBIDDEN);
      assert.ok(clean.length <= charsMax);
      assert.ok(clean.isWellFormed());
    }),
    { numRuns: 3_000 },
  );
});

Deno.test("cleaning a clean line changes nothing", () => {
  fc.assert(
    fc.property(text, (dirty) => {
      const clean = cleanLine(dirty);
      assert.equal(cleanLine(clean), clean);
    }),
    { numRuns: 5_000 },
  );
});

Deno.test("every known secret is redacted, in any position and with any control characters inside", () => {
  const secrets = fc.string({ minLength: 8, maxLength: 40 }).filter((value) => {
    const visible = value.trim();
    return visible.length >= 8 && !visible.includes("redacted") && visible === value;
  });
  fc.assert(
    fc.property(secrets, text, text, escape, fc.nat(40), (value, before, after, inside, at) => {
      const secret = new RequestSecret(value);
      const split = value.slice(0, at) + inside + value.slice(at);
      for (const dirty of [before + value + after, `${before} ${split} ${after}`]) {
        for (const charsMax of [4_000, 30, 12]) {
          const clean = cleanLine(dirty, { charsMax, secrets: [secret] });
          assert.ok(!clean.includes(value), JSON.stringify({ dirty, clean }));
        }
      }
    }),
    { numRuns: 3_000 },
  );
});

Deno.test("a secret at the cut of a shortened text is redacted completely", () => {
  new Secret("correct-horse-battery-staple");
  for (let before = 0; before < 40; before++) {
    const clean = cleanLine(`${"x".repeat(before)} correct-horse-battery-staple`, { charsMax: 30 });
    assert.ok(!clean.includes("correct"), clean);
  }
  const long = cleanLine(`${"word ".repeat(3_270)}ghp_${"a1".repeat(500)}`, { charsMax: 70_000 });
  assert.ok(!long.includes("a1a1"), long.slice(-50));
});

Deno.test("secrets are redacted in the encodings of addresses, JSON and headers", () => {
  new Secret('pa"ss/wörd&1');
  new Secret("Bearer abc.def-ghi");
  const cases: Readonly<Record<string, string>> = {
    'it is pa"ss/wörd&1.': "it is [redacted].",
    [`in ${JSON.stringify({ x: 'pa"ss/wörd&1' })}`]: 'in {"x":"[redacted]"}',
    [`at /${encodeURIComponent('pa"ss/wörd&1')}/y`]: "at /[redacted]/y",
    "sent abc.def-ghi": "sent [redacted]",
  };
  for (const [dirty, expected] of Object.entries(cases)) assert.equal(cleanLine(dirty), expected);
});

Deno.test("unregistered secrets are recognized by their context and their shape", () => {
  const token = "A1b2C3d4E5".repeat(4);
  const dirty = [
    `https://user:${token}@host/x`,
    `https://a:b@c:${token}@host/x`,
    `//${token}@host/x`,
    `https://host/x?token=${token}&page=2`,
    `https://host/x?X-Amz-Signature=${token}`,
    `https://host/x?a=1&sig=${token}`,
    `https://host/x?api_key=${token}`,
    `authorization: Bearer ${token}`,
    `Authorization: ${token}`,
    `bearer ${token}`,
    `basic ${btoa(`user:${token}`)}`,
    `HF_TOKEN=${token}`,
    `{"password": "${token}"}`,
    `X-Api-Key: ${token}`,
    `cookie: a=1; session=${token}`,
    ...["ghp_", "gho_", "github_pat_", "hf_", "rpa_", "glpat-", "xoxb-", "sk-", "sk_live_"].map((shape) =>
      shape + token
    ),
    `AKIAABCDEFGHIJKLMNOP`,
    `eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.${token}`,
    `-----BEGIN EC PRIVATE KEY-----\n${token}\n-----END EC PRIVATE KEY----- after`,
  ];
  for (const line of dirty) {
    const clean = cleanLine(`before ${line} after`);
    assert.match(clean, /^before .*\[redacted\].*after$/, line);
    for (const secret of [token, "AKIA", btoa(`user:${token}`)]) assert.ok(!clean.includes(secret), clean);
    assert.equal(cleanLine(`before ${line.replace("1b2", "1\u001b[1mb2")}`).includes("3d4E5"), false, line);
  }
});

Deno.test("texts without secrets stay readable", () => {
  const texts = [
    "Cannot reach git@github.com:a/b.git: Basic authentication failed, bearer authentication is off",
    "3 tokens, key points and a pass; https://host:8080/a@b?page=2#top",
    "path C:\\new\\table, mail a@b.example, 12:30, model:v1@sha256:ab12",
    "unexpected token: expected } at line 3, max_new_tokens=512",
  ];
  for (const line of texts) assert.equal(cleanLine(line), line);
});

Deno.test("a very short secret redacts nothing, and a short one only whole words", () => {
  for (const value of ["", " ", "a", "x1", "key"]) new Secret(value);
  assert.equal(cleanLine("a key of x1, and a model"), "a key of x1, and a model");
  new Secret("tok-1");
  assert.equal(cleanLine("tok-1 and mytok-10"), "[redacted] and mytok-10");
  new Secret("pull");
  assert.equal(cleanLine("run model-sync pull"), "run model-sync pull");
});

Deno.test("a request's own secrets are redacted only in that request", () => {
  const secrets = [new RequestSecret("application/json")];
  assert.equal(cleanLine("wanted application/json"), "wanted application/json");
  assert.equal(cleanLine("wanted application/json", { secrets }), "wanted [redacted]");
});

Deno.test("a private key is hidden line by line too", () => {
  const line = "MHcCAQEEIBKp3vQ9Zz".repeat(3);
  new Secret(`-----BEGIN EC PRIVATE KEY-----\n${line}\n-----END EC PRIVATE KEY-----\n`);
  assert.equal(cleanLine(`bad line ${line}`), "bad line [redacted]");
});

Deno.test("the lines of a stack trace stay lines", () => {
  assert.equal(
    cleanLines("Error: \u001b[31mx\n    at https://a:b@h/x.ts:1\r\n"),
    "Error: x\n    at https://[redacted]@h/x.ts:1\n",
  );
});

Deno.test("no rule changes a text that is plain enough to be cleaned without them", () => {
  const letters = fc.constantFrom(..."abcdefghijklmnopqrstuvwxyz-");
  const word = fc.constantFrom(
    "sk-",
    "hf",
    "gh",
    "npm",
    "basic",
    "bearer",
    "token",
    "cookie",
    "glpat-",
    "xoxb-",
  );
  const short = fc.tuple(word, fc.string({ unit: letters, maxLength: 14 }))
    .map(([start, end]) => `${start}${end}`.slice(0, 14));
  const long = fc.string({ unit: fc.constantFrom(..."0123456789abcdefTZ.:+-"), maxLength: 90 });
  fc.assert(
    fc.property(fc.oneof(short, long), (plain) => {
      assert.equal(redactText(plain), plain);
      assert.equal(cleanLine(plain), plain);
    }),
    { numRuns: 3_000 },
  );
  // One character more, and some rule may.
  assert.equal(cleanLine("xoxb-abcdefghij"), "[redacted]");
  assert.equal(cleanLine("authorization:fed"), "authorization:[redacted]");
  new Secret("abcdef012345");
  assert.equal(cleanLine("sent abcdef012345"), "sent [redacted]");
  assert.equal(cleanLine("abcdef012345"), "[redacted]");
});
