import assert from "node:assert/strict";
import { cleanLine } from "../../lib/core/clean_text.ts";
import { redactArguments } from "../../lib/core/redact_arguments.ts";
import { redactText } from "../../lib/core/secret.ts";

/** As long as one argument of a command can be on Linux. A pattern that takes quadratic time for it takes minutes. */
const CHARS = 128 * 1024;

/** What is repeated, with what stands before it: each is the worst for some pattern. */
const TEXTS: ReadonlyArray<readonly [repeated: string, before?: string]> = [
  ["x"],
  ["-"],
  ["."],
  ["aB"],
  ["a_"],
  [" "],
  [" ", "authorization"],
  [" ", "aws_secret_access_key"],
  ["\t x"],
  ["authoriz"],
  ["authorization: "],
  ["bearer "],
  ["basic "],
  ["x-key"],
  ["token="],
  ['token="'],
  ['"token":"'],
  ["\\a", '"token":"'],
  ["cookie: a=b "],
  ["a=b; ", "cookie: "],
  ["sk-"],
  ["eyJaaaaaaaa."],
  ["-----BEGIN PRIVATE KEY-----"],
  ["http://"],
  ["http://a:"],
  ["//a"],
  ["?token"],
  ["&a=token"],
  ['"'],
  ["'\""],
  ['\\"'],
  ["\\'\\\""],
  ["\\"],
  ["a="],
  ["])", "x"],
  ["\x1b[0"],
  ["\x1b]"],
];

for (const [repeated, before = ""] of TEXTS) {
  const text = before + repeated.repeat(CHARS / repeated.length);
  Deno.test(`${JSON.stringify(before)} and 128 KiB of ${JSON.stringify(repeated)} are redacted and cleaned`, () => {
    redactText(text);
    assert.ok(!cleanLine(text).includes("\t"));
    for (const args of [[text], ["--name", text, "x"], ["-c", `train ${text} --token ${text}`]]) {
      const shown = redactArguments(args);
      assert.equal(shown.length, args.length);
    }
  });
}

Deno.test("a secret is redacted in scripts within scripts of any depth, and the command around it is shown", () => {
  for (const levels of [1, 4, 8, 12]) {
    let script = "train --token abc-secret";
    for (let depth = 0; depth < levels; depth++) script = `sh -c ${JSON.stringify(script)}`;
    const [shown = ""] = redactArguments([script]);
    assert.ok(!shown.includes("abc-secret"), shown.slice(0, 200));
    assert.ok(shown.startsWith("sh -c "), shown.slice(0, 200));
  }
});

Deno.test("a secret's name is recognized as a whole, anywhere in a word", () => {
  assert.deepEqual(redactArguments(["-c", `run 'x"y'my_token=abc --a.pat=abc "b":1 AUTH="abc d"`]), [
    "-c",
    `run 'x"y'my_token=[redacted] --a.pat=[redacted] "b":1 AUTH=[redacted]`,
  ]);
  assert.deepEqual(redactArguments([`https://me:${"p".repeat(4_000)}@host/x`]), [
    "https://[redacted]@host/x",
  ]);
});
