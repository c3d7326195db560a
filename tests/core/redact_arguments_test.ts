import assert from "node:assert/strict";
import fc from "fast-check";
import { redactArguments } from "../../lib/core/redact_arguments.ts";

/** No word of a command line holds it by chance. */
const SECRET = "S3cr-3t.x/y";

/** Every way in which a command line is known to carry a secret. */
const CARRIERS: readonly (readonly string[])[] = [
  ["--token", SECRET],
  ["-token", SECRET],
  ["--auth", SECRET],
  ["--auth", "--token", SECRET],
  ["--hf-token", SECRET],
  ["--hfToken", SECRET],
  ["--password", `-${SECRET}`],
  ["--passphrase", SECRET],
  ["--api_key", SECRET],
  ["--credentials", SECRET],
  ["-p", SECRET],
  [`-p${SECRET}`],
  [`-p=${SECRET}`],
  [`-p-${SECRET}`],
  ["-u", `me:${SECRET}`],
  ["--user", `me:${SECRET}`],
  [`--pat=${SECRET}`],
  [`--token=${SECRET}`],
  [`--token=a ${SECRET}`],
  [`-Dservice.password=${SECRET}`],
  [`NAME_KEY=${SECRET}`],
  [`HF_TOKEN=${SECRET}`],
  [`GH_PAT=${SECRET}`],
  [`HF_TOKEN = '${SECRET}'`],
  ["export", `DB_PWD=${SECRET}`],
  ["Bearer", SECRET],
  [`Bearer ${SECRET}`],
  ["-H", `Authorization: token ${SECRET}`],
  ["-H", `authorization:Bearer ${SECRET}`],
  ["-H", `X-Api-Key: ${SECRET}`],
  ["--cookie", `session=${SECRET}`],
  [`{"token":"${SECRET}"}`],
  [`{"token": "${SECRET}", "epochs": 3}`],
  [`import os; os.environ["API_KEY"] = "${SECRET}"; run()`],
  [`https://user:${SECRET.replace("/", "@")}@host/x`],
  [`https://user:${SECRET}@host/x`],
  [`https://host/x?access_token=${SECRET}&page=2`],
  [`train --token ${SECRET}`],
  [`train --token '${SECRET} and more' --epochs 3`],
  [`TOKEN="${SECRET} and more" train`],
  [`train --epochs 3; curl -H "Authorization: Bearer ${SECRET}" https://host/`],
  [`bash -c 'train --token "${SECRET}"'`],
  [`train\t--token\n${SECRET}`],
  [`train --token "${SECRET}`],
  ["ghp_" + "aB3d".repeat(9)],
  ["notes-hf_" + "aB3d".repeat(8) + "aB"],
];

/** What training commands are made of; none of it may be lost. */
const HARMLESS = [
  ["python3", "-u", "main.py"],
  ["python3", "-m", "scripts.run_trainer"],
  ["--symbol", "BTC/USDC"],
  ["--paper"],
  ["--epochs", "5"],
  ["--tokenizer", "bpe"],
  ["--path", "models/a b"],
  ["--pattern=*.onnx"],
  ["--author", "Ada"],
  ["--keep", "3"],
  ["--lr=0.01"],
  ["OMP_NUM_THREADS=2"],
  ["PYTHONPATH=lib"],
  ["https://host:8080/a@b"],
  ["git@github.com:a/models"],
  ["a && b | c > d"],
  [""],
];
const harmless = fc.array(fc.constantFrom(...HARMLESS), { maxLength: 6 }).map((parts) => parts.flat());

/** What is unique to a secret of {@link CARRIERS}. */
const TRACES = /S3cr|3t\.x|x\/y|x@y|aB3d/;

Deno.test("redactArguments() redacts a secret in any position of a command line", () => {
  fc.assert(
    fc.property(harmless, fc.constantFrom(...CARRIERS), harmless, (before, carrier, after) => {
      const shown = redactArguments([...before, ...carrier, ...after]);
      assert.doesNotMatch(shown.join("\n"), TRACES);
      assert.equal(shown.length, before.length + carrier.length + after.length);
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("redactArguments() shows no secret in a script that is one argument", () => {
  // There the blank ends the option, and another word begins.
  const scripts = CARRIERS.map((carrier) => carrier.join(" ")).filter((script) =>
    !script.startsWith("--token=a")
  );
  fc.assert(
    fc.property(harmless, fc.constantFrom(...scripts), harmless, (before, script, after) => {
      const shown = redactArguments(["sh", "-c", [...before, script, ...after].join(" ")]);
      assert.doesNotMatch(shown.join("\n"), TRACES);
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("redactArguments() leaves a command line without secrets unchanged", () => {
  fc.assert(
    fc.property(harmless, (args) => {
      assert.deepEqual(redactArguments(args), args);
      assert.deepEqual(redactArguments([args.join(" ")]), [args.join(" ")]);
    }),
  );
});

Deno.test("redactArguments() is idempotent", () => {
  for (const carrier of CARRIERS) {
    const shown = redactArguments(carrier);
    assert.deepEqual(redactArguments(shown), shown, carrier.join(" "));
  }
});

Deno.test("redactArguments() keeps the names of options", () => {
  const cases: readonly (readonly [readonly string[], readonly string[]])[] = [
    [["train", "--token", "abc", "--epochs", "3"], ["train", "--token", "[redacted]", "--epochs", "3"]],
    [["--pat=abc"], ["--pat=[redacted]"]],
    [["HF_TOKEN=abc"], ["HF_TOKEN=[redacted]"]],
    [["sh", "-c", "train --token abc --lr 1"], ["sh", "-c", "train --token [redacted] --lr 1"]],
    [["sh", "-c", "A=1 KEY='a b' train"], ["sh", "-c", "A=1 KEY=[redacted] train"]],
    [["-H", "Authorization: Bearer abc"], ["-H", "Authorization: [redacted]"]],
    [["https://a:b@c@host/x"], ["https://[redacted]@host/x"]],
  ];
  for (const [args, expected] of cases) assert.deepEqual(redactArguments(args), expected);
});
