import assert from "node:assert/strict";
import { hideInStream } from "../../lib/core/hide_in_stream.ts";
import { Secret } from "../../lib/core/secret.ts";
import { train } from "../../lib/training/train.ts";
import { testContext } from "../helpers/test_context.ts";

const TOKEN = "tok-of-the-training-7";
const OPTIONS = { paper: false, symbols: [], scope: "default", maxModelAgeHours: undefined } as const;

Deno.test("a training's output is passed on without known secrets, whether it succeeds or fails", async () => {
  new Secret(TOKEN);
  // One stream at a time, because the order of two streams depends on the system.
  for (const stream of [1, 2]) {
    for (const code of [0, 3]) {
      let said = "";
      const script = `printf '\\033[32mloss\\033[0m 0.1\\r${TOKEN}' >&${stream}; exit ${code}`;
      const run = train(
        testContext(),
        { command: ["sh", "-c", script], timeoutMs: 60_000, modelsDir: "models" },
        OPTIONS,
        (chunk) => said += new TextDecoder().decode(chunk),
      );
      await run.catch((error) => assert.equal(error.code, "TRAINING_FAILED"));
      assert.equal(said, "\u001b[32mloss\u001b[0m 0.1\r[redacted]");
    }
  }
});

Deno.test("a secret that a program prints in pieces is hidden, and all other output is passed on", () => {
  new Secret(TOKEN);
  const text = `a ${TOKEN} b${"x".repeat(10_000)} é ${TOKEN}`;
  for (const size of [1, 2, 7, 4_096, 20_000]) {
    let said = "";
    const stream = hideInStream((bytes) => said += new TextDecoder().decode(bytes));
    const bytes = new TextEncoder().encode(text);
    for (let start = 0; start < bytes.length; start += size) stream.write(bytes.slice(start, start + size));
    stream.end();
    assert.equal(said, text.replaceAll(TOKEN, "[redacted]"), String(size));
  }
});
